"""Every knob of Flaskiq, in one table: validated when the app loads, frozen after."""

from flaskiq.settings.settings import Settings
from flaskiq.settings.table import TABLE, Derived, Setting
from flaskiq.settings.urls import mask_url

__all__ = ["TABLE", "Derived", "Setting", "Settings", "mask_url"]
