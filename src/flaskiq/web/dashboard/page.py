"""Page: what is at one address, as HTML and as JSON, and what can be done there.

A page says what it wants to know of Redis and does not ask itself: the numbers that every page has
on top are asked in the same trips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from flaskiq import api
from flaskiq.store.reading import Reading, together
from flaskiq.web.dashboard.acts import Done, back
from flaskiq.web.dashboard.asking import ask
from flaskiq.web.dashboard.guard import note
from flaskiq.web.dashboard.plain import plain

API = "/api/v1"
"""What stands before the address of a page for its content as JSON."""

_JSON = "api_"

Content = Mapping[str, Any]
"""What a page shows, by name."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page. ``read`` and ``act`` are given what the path has in angle brackets."""

    name: str
    path: str
    read: Callable[..., Reading[Content]]
    act: Callable[..., Done] | None = None
    template: str = ""

    def add_to(self, pages: Blueprint) -> None:
        """Add its routes: to see it and to act in it, for people and for programs."""
        pages.add_url_rule(self.path, self.name, self._show)
        pages.add_url_rule(f"{API}{self.path}", f"{_JSON}{self.name}", self._tell)
        if self.act is not None:
            post, name = ["POST"], f"{self.name}_act"
            pages.add_url_rule(self.path, name, self._act, methods=post)
            pages.add_url_rule(
                f"{API}{self.path}", f"{_JSON}{name}", self._act_and_tell, methods=post
            )

    def _show(self, **where: str) -> bytes:
        reading = together(api.numbers.reading(), self.read(**where))
        g.flaskiq_numbers, content = ask(reading)
        page = render_template(f"flaskiq/{self.template or self.name}.html", **content)
        return page.encode(errors="backslashreplace")  # halves of emoji are no UTF-8

    def _tell(self, **where: str) -> ResponseReturnValue:
        return jsonify(plain(ask(self.read(**where))))

    def _act(self, **where: str) -> ResponseReturnValue:
        return back(self._do(where))

    def _act_and_tell(self, **where: str) -> ResponseReturnValue:
        return jsonify(plain(self._do(where)._asdict()))

    def _do(self, where: Mapping[str, str]) -> Done:
        assert self.act is not None
        done = self.act(**where)
        note(done.act, done.what, done.number)
        return done


def is_for_programs() -> bool:
    """Whether the current request is answered in JSON."""
    return (request.endpoint or "").rpartition(".")[2].startswith(_JSON)
