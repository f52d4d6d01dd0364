"""What is known of a loop that turns, waits, or stands still."""

from __future__ import annotations

from waiting import until

from flaskiq.health.pulse import Pulse


def test_a_loop_has_begun_with_its_first_turn_and_not_with_what_comes_before() -> None:
    pulse = Pulse()
    with pulse.waiting():
        assert pulse.is_waiting
    assert not pulse.has_begun
    pulse.beat()
    assert pulse.has_begun


def test_silence_counts_from_when_a_turn_was_due_and_not_while_it_may_wait() -> None:
    pulse = Pulse()
    pulse.beat(next_in=60)
    assert pulse.silence == 0
    pulse.beat()
    until(lambda: pulse.silence > 0.1, "it is silent")
    with pulse.waiting():
        assert pulse.silence == 0
    assert pulse.silence < 0.1
    assert pulse.age < 0.1
