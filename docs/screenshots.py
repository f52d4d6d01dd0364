"""Take the pictures of the dashboard: ``make screenshots``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import click
from PIL import Image
from playwright.sync_api import Error, Page, ViewportSize, sync_playwright

from flaskiq.dev.ports import LOOPBACK, choose_free

FOLDER = Path(__file__).with_name("screenshots")
FLASKIQ = Path(sys.executable).with_name("flaskiq")

RATE = 20
"""Jobs a second."""

PATIENCE = 90
"""Seconds until a page must be there and show what it is for."""

MOST = 150_000
"""Bytes of a picture."""

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)

JOB, QUEUE, BATCH, CHORD, WORKER = (
    f"main a[href*='/{kind}/']" for kind in ("job", "queues", "batches", "chords", "metrics")
)


class Shot(NamedTuple):
    """A page, and what must be on it before its picture is taken."""

    name: str
    path: str
    shows: str = "main"
    follows: int | None = None
    """Which of the links that ``shows`` finds leads to the page of the picture; 0 is the first."""
    size: ViewportSize = DESKTOP


SHOTS = (
    Shot("overview", "/"),
    Shot("busy", "/busy", JOB),
    Shot("queues", "/queues", QUEUE),
    Shot("queue", "/queues/low", JOB),
    Shot("scheduled", "/scheduled", JOB),
    Shot("retries", "/retries", JOB),
    Shot("dead", "/dead", JOB),
    Shot("job", "/retries", JOB, follows=-1),  # the first would be over before its picture
    Shot("cron", "/cron"),
    Shot("batches", "/batches", BATCH),
    Shot("batch", "/batches", BATCH, follows=0),
    Shot("chords", "/chords", CHORD),
    Shot("chord", "/chords", CHORD, follows=0),
    Shot("metrics", "/metrics"),
    Shot("worker", "/metrics", WORKER, follows=0),
    Shot("overview-phone", "/", size=PHONE),
)


@click.command()
@click.option("--url", help="Where a dashboard is already; by default `flaskiq demo` is started.")
@click.option(
    "--wait",
    default=60,
    show_default=True,
    help="Seconds that the demo runs first, so that there is something to see in its graphs.",
)
@click.option(
    "--folder",
    default=FOLDER,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the pictures go, by default docs/screenshots.",
)
def main(url: str | None, wait: int, folder: Path) -> None:
    """Take a light and a dark picture of each page of the dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    with _chromium() as page:
        if url is not None:
            _take_all(page, url.rstrip("/"), folder)
            return
        with _demo() as url:
            _load(page, f"{url}/")
            click.echo(f"{url}/ is there; the first picture is taken in {wait} s")
            time.sleep(wait)
            _take_all(page, url, folder)


@contextmanager
def _chromium() -> Iterator[Page]:
    program = shutil.which("chromium")
    if program is None:
        raise click.ClickException("There is no browser: install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser.new_page(device_scale_factor=1)
        browser.close()


@contextmanager
def _demo() -> Iterator[str]:
    """Run ``flaskiq demo``; the value is the URL of its dashboard."""
    port = str(choose_free())
    demo = subprocess.Popen(  # noqa: S603 - our program with our options
        [FLASKIQ, "demo", "--port", port, "--rate", str(RATE)],
        env={**os.environ, "ENABLE_FLOWER": "no"},
        stdout=subprocess.DEVNULL,  # much that nobody needs here; errors go elsewhere
    )
    try:
        yield f"http://{LOOPBACK}:{port}/jobs"
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def _take_all(page: Page, url: str, folder: Path) -> None:
    for shot in SHOTS:
        page.set_viewport_size(shot.size)
        address, shows = f"{url}{shot.path}", shot.shows
        if shot.follows is not None:
            _load(page, address, shows)
            link = page.locator(shows).nth(shot.follows)
            address, shows = link.evaluate("link => link.href"), "main"
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            _load(page, address, shows)
            _take(page, folder / f"{shot.name}-{scheme}.png")


def _load(page: Page, url: str, shows: str = "main") -> None:
    """Load a page, again and again until something that the selector ``shows`` finds is on it.

    Raises:
        click.ClickException: it cannot be reached in time, is not there, or does not show it.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        reason = _failure(page, url, shows)
        if reason is None:
            return
        if time.monotonic() > deadline:
            raise click.ClickException(f"{url} {reason}, for {PATIENCE} s.")
        page.wait_for_timeout(500)


def _failure(page: Page, url: str, shows: str) -> str | None:
    try:
        answer = page.goto(url)
    except Error as error:
        return f"cannot be reached: {error.message.splitlines()[0]}"
    if answer is not None and not answer.ok:
        raise click.ClickException(f"{url} answers {answer.status}; is there such a page?")
    return None if page.locator(shows).count() else f"shows nothing like {shows}"


def _take(page: Page, file: Path) -> None:
    """Write a picture of 256 colours: a third of the bytes, and nobody sees the difference."""
    with Image.open(BytesIO(page.screenshot(animations="disabled"))) as image:
        colours = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    colours.save(file, optimize=True)
    size = file.stat().st_size
    click.echo(f"{file.name}: {size / 1000:.0f} kB")
    if size > MOST:
        raise click.ClickException(f"{file} has {size} bytes, and may have {MOST}.")


if __name__ == "__main__":
    main()
