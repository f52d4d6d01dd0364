"""What axe-core finds wrong with a page for somebody who cannot see it, or cannot use a mouse."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def violations(page: Page) -> list[str]:
    """Return a line for each element that breaks a grave rule: rule, impact, help, selector.

    The page's Content-Security-Policy does not matter: the browser's debugger runs the script.
    """
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {' '.join(map(str, node['target']))}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
