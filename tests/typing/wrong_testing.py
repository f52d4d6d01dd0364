"""Wrong uses of flaskiq.testing: each line that ends in WRONG is an error in both checkers."""

from __future__ import annotations

from datetime import timedelta

from flaskiq import Worker
from flaskiq.testing import (
    advance,
    assert_cron,
    assert_enqueued,
    drain,
    enqueued,
    fake,
    perform_one,
    real,
    refute_enqueued,
)


class Import(Worker):
    @classmethod
    def perform(cls, user_id: int) -> str:
        return ""


@fake()
def decorated(number: int) -> list[str]:
    return []


decorated("1")  # WRONG
decorated(1).keys()  # WRONG
fake(Import)  # WRONG
real(timeout="5")  # WRONG
drain(3)  # WRONG
drain(scheduled="1 hour")  # WRONG
drain(Import, "low")  # WRONG
perform_one(Import, when="now")  # WRONG
advance("1 day")  # WRONG
assert_enqueued()  # WRONG
assert_enqueued(Import, args=1)  # WRONG
assert_enqueued(Import, kwargs=["user_id"])  # WRONG
assert_enqueued(Import, queue=3)  # WRONG
assert_enqueued(Import, at="tomorrow")  # WRONG
assert_enqueued(Import, tenant=7)  # WRONG
assert_enqueued(Import, state="done")  # WRONG
assert_enqueued(Import, count="2")  # WRONG
assert_enqueued(Import, quue="low")  # WRONG
refute_enqueued(Import, count=2)  # WRONG
print(enqueued(Import)[0].arguments)  # WRONG
assert_cron(Import)  # WRONG
assert_cron(Import, at=timedelta(days=1))  # WRONG
