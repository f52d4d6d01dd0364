"""URLs of brokers and result backends, and how they may be shown. Pure."""

from __future__ import annotations

import re

_NEXT_URL = re.compile(r";(?=[a-z][\w.+-]*://)", re.IGNORECASE)
_QUERY = re.compile(r"\?(?=[\w.-]+=)")
_LOGIN = re.compile(r"^([\w.+:-]*?://)?(.*)@", re.DOTALL)
_URL = re.compile(r"""[a-z][a-z\d+.-]*://[^\s'"<>]+""", re.IGNORECASE)
_LOGIN_IN_TEXT = re.compile(r"(://|;)([^\s/@?]*)@")
_SECRET_PARAMETER = re.compile(
    r"([^&]*(?:pass|pwd|secret|token|credential|sentinel_kwargs|api_?key)[^&=]*=)[^&]*",
    re.IGNORECASE,
)


def split_urls(urls: str) -> list[str]:
    """Split ``"sentinel://a;sentinel://b"``; a ``;`` inside a password does not split."""
    return _NEXT_URL.split(urls)


def mask_url(url: str) -> str:
    """Return ``url`` with every password replaced by ``***``.

    User, host, port, database and harmless parameters stay. A login without a colon may be a
    token, so all of it goes. Where a password is not percent-encoded and the text is ambiguous,
    rather too much is hidden than too little.

    >>> mask_url("rediss://app:s3cret@redis.internal:6380/1?ssl_cert_reqs=required")
    'rediss://app:***@redis.internal:6380/1?ssl_cert_reqs=required'
    >>> mask_url("sentinel://:one@a:26379;sentinel://:two@b:26379")
    'sentinel://:***@a:26379;sentinel://:***@b:26379'
    """
    return ";".join(map(_mask_one, split_urls(url)))


def mask_text(text: str) -> str:
    """Return a text with the passwords of all URLs in it replaced by ``***``.

    >>> mask_text("no answer of redis://:s3cret@redis.internal:6379/0, see https://a.org/@b")
    'no answer of redis://:***@redis.internal:6379/0, see https://a.org/@b'
    """
    return _URL.sub(_mask_found, text) if "://" in text else text


def _mask_found(match: re.Match[str]) -> str:
    address, *query = _QUERY.split(match.group(), maxsplit=1)
    address = _LOGIN_IN_TEXT.sub(_mask_login, address)
    return "?".join([address, *(_SECRET_PARAMETER.sub(r"\1***", part) for part in query)])


def _mask_one(url: str) -> str:
    address, *query = _QUERY.split(url, maxsplit=1)
    address = _LOGIN.sub(_mask_login, address)
    return "?".join([address, *(_SECRET_PARAMETER.sub(r"\1***", part) for part in query)])


def _mask_login(match: re.Match[str]) -> str:
    scheme, login = match.groups(default="")
    user, colon, _ = login.partition(":")
    return f"{scheme}{user}:***@" if colon else f"{scheme}***@"
