"""The same for ``unittest``: nothing here needs pytest."""

from __future__ import annotations

import tempfile
import unittest
from unittest.mock import patch

import the_shop
from flaskiq.testing import assert_enqueued, drain, fake, inline

from shop import mail
from shop.workers.mails import Welcome


class ShopCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.client = the_shop.with_empty_database(folder.name).test_client()


class SignupCase(ShopCase):
    """A mode for each test, from ``setUp`` on."""

    def setUp(self) -> None:
        super().setUp()
        mode = fake()  # from Python 3.11 on: self.enterContext(fake())
        mode.__enter__()
        self.addCleanup(mode.__exit__, None, None, None)

    def test_a_signup_enqueues_a_welcome(self) -> None:
        self.client.post("/signup", data={"email": "ada@example.org"})
        assert_enqueued(Welcome, args=[1], count=1)

    def test_a_welcome_is_mailed(self) -> None:
        self.client.post("/signup", data={"email": "ada@example.org"})
        with patch.object(mail, "send") as send:
            drain(Welcome)
        send.assert_called_once_with("ada@example.org", "Welcome")


@inline()
class InlineCase(ShopCase):
    """A mode for each test, by a decorator of the class."""

    def test_a_signup_mails_a_welcome(self) -> None:
        with patch.object(mail, "send") as send:
            self.client.post("/signup", data={"email": "ada@example.org"})
        send.assert_any_call("ada@example.org", "Welcome")


@fake()
class CoroutineCase(ShopCase, unittest.IsolatedAsyncioTestCase):
    """A mode for each test, which is a coroutine."""

    async def test_a_signup_enqueues_a_welcome(self) -> None:
        Welcome.perform_async(1)
        assert_enqueued(Welcome, args=[1], count=1)


if __name__ == "__main__":
    unittest.main()
