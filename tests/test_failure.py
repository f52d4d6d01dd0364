"""What is known of a failure."""

from __future__ import annotations

import json

from flaskiq.failure import MESSAGE_MOST, TRACEBACK_MOST, Failure


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301
    except Exception as caught:
        return caught


def test_it_is_capped_and_can_be_written_as_utf_8() -> None:
    error = raised(LookupError("\ud800\0é" + "x" * 100_000))
    failure = Failure.of(error, 2, 1.5)
    assert failure.message == "?\0é" + "x" * (MESSAGE_MOST - 3)
    assert len(failure.traceback) == TRACEBACK_MOST
    assert (failure.error, failure.attempt, failure.first_failed_at) == ("LookupError", 2, 1.5)
    again = Failure.unpack(failure.pack())
    assert again == failure
    assert again.message.encode()


def test_the_end_of_the_traceback_is_kept_with_its_causes() -> None:
    error = KeyError("outer")
    error.__cause__ = raised(OSError("inner"))
    traceback = Failure.of(raised(error), 1).traceback
    assert traceback.endswith("KeyError: 'outer'\n")
    assert "OSError: inner" in traceback


def test_an_error_without_a_message() -> None:
    failure = Failure.of(Mute(), 1)
    assert failure.message == "<no message: RuntimeError>"
    assert failure.error.endswith("test_failure.Mute")
    assert failure.first_failed_at == failure.failed_at


def test_a_record_from_before_it_knew_when_the_attempt_began() -> None:
    failure = Failure.of(OSError("gone"), 2)
    old = failure._asdict()
    del old["ready_at"], old["started_at"]
    assert Failure.unpack(json.dumps(old).encode()) == failure
