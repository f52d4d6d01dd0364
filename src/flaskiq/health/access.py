"""Access: who may read what helps to find a fault."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from werkzeug.wrappers import Request

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
"""Headers of proxies: for them a request comes from this machine, whoever has made it."""

_BEARER = "bearer "


@dataclass(frozen=True)
class Access:
    """Whoever knows ``token``, and whoever is on this machine."""

    token: str | None = None

    def is_allowed(self, request: Request) -> bool:
        """Whether a request may read it."""
        return self._knows_token(request) or is_of_this_machine(request)

    def _knows_token(self, request: Request) -> bool:
        said = request.headers.get("Authorization", "")
        given = [request.args.get("token", "")]
        if said.lower().startswith(_BEARER):
            given.append(said[len(_BEARER) :].strip())
        return bool(self.token) and any(
            hmac.compare_digest(each.encode(), str(self.token).encode()) for each in given
        )


def is_of_this_machine(request: Request) -> bool:
    """Whether a request comes from this machine, and asks for it by such a name.

    A page in a browser here may have another name lead to this machine (DNS rebinding); what a
    proxy beside this program passes on comes from elsewhere.
    """
    passed_on = any(name in request.headers for name in _FORWARDED)
    return not passed_on and _is_loopback(request.remote_addr) and _is_loopback(_name(request))


def _name(request: Request) -> str:
    host = request.headers.get("Host", "")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(name: str | None) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
