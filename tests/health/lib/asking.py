"""Asks a program how it is, and keeps all that it has said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import requests
from processes import Process
from waiting import until

LIB = str(Path(__file__).parent)
TOKEN = "token-lmn5gh"
PASSWORD = "password-q8w7x"
STAGED = {
    "HEALTH_TOKEN": TOKEN,
    "AWS_SECRET_ACCESS_KEY": "aws-secret-7fk2",
    "DATABASE_URL": "postgresql://shop:database-secret-1@db/shop",
    "SENTRY_DSN": "https://sentry-secret-1@sentry.example/1",
    "SQLALCHEMY_DB_PASS": "database-secret-2",
    "FLOWER_URL": "http://flower:flower-secret-1@flower:5555",
}
"""Variables that hold secrets."""

SECRETS = (
    TOKEN, PASSWORD, "aws-secret-7fk2", "database-secret-1", "database-secret-2",
    "sentry-secret-1", "flower-secret-1",
)  # fmt: skip

PATHS = ("/", "/ping", "/health", "/health/basic", "/health/ready", "/health/live")
DEBUG = ("/debug", "/debug/env", "/debug/redis", "/debug/detailed")


class Asked:
    """One program with a health server on this machine."""

    def __init__(self, process: Process, port: int) -> None:
        self.process, self.port = process, port
        self.said: list[str] = []

    def ask(
        self, path: str, method: str = "GET", host: str = "127.0.0.1", **options: Any
    ) -> requests.Response:
        """Ask; raises what ``requests`` raises."""
        options.setdefault("timeout", 10)
        answer = requests.request(method, f"http://{host}:{self.port}{path}", **options)
        self.said += [answer.text, *map(str, answer.headers.items())]
        return answer

    def status(self, path: str = "/health") -> int | None:
        """Return the status, None while nobody answers."""
        try:
            return self.ask(path).status_code
        except requests.ConnectionError:
            return None

    def reason(self, path: str = "/health") -> str:
        """Return what is wrong, as it is told."""
        return str(self.ask(path).json()["reason"])

    def until(self, path: str, status: int, timeout: float = 30) -> None:
        """Wait for a status."""
        seen: list[int | None] = []

        def has_come() -> bool:
            seen[:] = [self.status(path)]
            return seen == [status]

        try:
            until(has_come, f"{path} is {status}", timeout)
        except AssertionError as error:
            said = "\n".join(self.said[-1:])
            raise AssertionError(f"{error}, but {seen}\n{said}\n{self.process.output}") from None


def elsewhere() -> str | None:
    """Return an address of this machine that is not loopback, if it has one."""
    return next(
        (
            each.address
            for addresses in psutil.net_if_addrs().values()
            for each in addresses
            if each.family.name == "AF_INET" and not each.address.startswith("127.")
        ),
        None,
    )
