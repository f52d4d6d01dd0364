"""A browser without JavaScript."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient

OURS = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form of our own."""


class Browser:
    """A client that sends forms as a browser without JavaScript does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""
        self.token = ""
        self.path = ""

    def get(self, path: str, code: int = 200) -> str:
        """Load a page below the dashboard, and return its text without tags."""
        self.path = path
        answer = self.client.get(f"/jobs{path}")
        assert answer.status_code == code, answer.text
        self._take(answer.text)
        return self.text

    def _take(self, page: str) -> None:
        """Keep the token of the forms; a page without any has none."""
        self.page = page
        found = re.search(r'name="flaskiq_token" value="([^"]+)"', page)
        if found:
            self.token = found[1]

    @property
    def text(self) -> str:
        """What the page says."""
        shown = re.sub(r"<script.*?</script>", " ", self.page, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())

    def post(self, path: str, code: int = 303, **fields: Any) -> str:
        """Send a form of the page that was loaded last; follow the redirect and return its text."""
        data = {"flaskiq_token": self.token, **fields}
        answer = self.client.post(f"/jobs{path}", data=data, headers=OURS)
        assert answer.status_code == code, answer.text
        if code == 303:
            location = answer.headers["Location"].removeprefix("/jobs")
            return self.get(location)
        self.page = answer.text
        return self.text
