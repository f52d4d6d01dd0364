"""An answer comes in time, whatever hangs, and each answer is kept for a second."""

from __future__ import annotations

import threading
import time

import pytest
from waiting import until

from flaskiq.health.bounded import KEPT, Bounded
from flaskiq.health.trouble import TroubleError


def test_many_ask_and_it_looks_once_a_second() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    bounded = Bounded(look, 5)
    assert {bounded() for _ in range(100)} == {1}
    until(lambda: bounded() == 2, "it looks again", timeout=KEPT + 5)


def test_what_goes_wrong_is_raised() -> None:
    def look() -> None:
        raise TroubleError("broken")

    bounded = Bounded(look, 5)
    for _ in range(2):
        with pytest.raises(TroubleError, match="broken"):
            bounded()


def test_where_a_look_hangs_all_are_told_and_no_other_begins() -> None:
    looks: list[int] = []
    goes_on = threading.Event()

    def look() -> str:
        looks.append(1)
        goes_on.wait()
        return "back"

    bounded = Bounded(look, 0.2)
    with pytest.raises(TroubleError, match=r"no answer within 0\.2 s"):
        bounded()
    began = time.monotonic()
    for _ in range(10):
        with pytest.raises(TroubleError):
            bounded()
    assert time.monotonic() - began < 0.2, "nobody waits for it again"
    assert len(looks) == 1
    goes_on.set()

    def is_back() -> bool:
        try:
            return bounded() == "back"
        except TroubleError:
            return False

    until(is_back, "it is told when it is back")
