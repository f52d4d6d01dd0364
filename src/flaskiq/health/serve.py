"""Serve: how a program's health comes to be told."""

from __future__ import annotations

from flaskiq.current import State
from flaskiq.health.access import Access
from flaskiq.health.broker import Broker
from flaskiq.health.debug import Debug
from flaskiq.health.program import Program
from flaskiq.health.server import HealthServer
from flaskiq.health.site import Site


def serve(program: Program, found: State, broker: Broker) -> HealthServer:
    """Start to answer as the settings of the app say."""
    settings = found.settings
    site = Site(program, Debug(program, found, broker), Access(settings["HEALTH_TOKEN"]))
    server = HealthServer(site, settings["HEALTH_ADDRESS"], settings["HEALTH_PORT"])
    server.start()
    return server
