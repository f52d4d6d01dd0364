"""What axe-core finds wrong with a page for somebody who cannot see it, or cannot use a mouse."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def violations(page: Page, *rules: str) -> list[str]:
    """Return a line for each element that breaks a grave rule: rule, impact, help, selector.

    All rules of axe are asked unless some are named. The page's Content-Security-Policy does not
    matter: the browser's debugger runs the script.
    """
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {' '.join(map(str, node['target']))}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
