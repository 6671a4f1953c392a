"""The browser of this system, for tests and pictures: where it is, how it is started, and how it is installed."""

import os
import shutil

from playwright.async_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OPTIONS = (
    "--no-sandbox",  # tests run as root in containers, and load nothing but our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
APT = (("apt-get", "update", "-q"), ("apt-get", "install", "-q", "--yes", "--no-install-recommends", "chromium"))


def executable() -> str | None:
    """Return the path of the browser, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def installation() -> list[tuple[str, ...]]:
    """Return the commands that install it, none where we do not know them or may not."""
    if not shutil.which("apt-get"):
        return []
    if os.geteuid() == 0:
        return list(APT)
    return [("sudo", "--non-interactive", *words) for words in APT] if shutil.which("sudo") else []


async def launch(playwright: Playwright) -> Browser:
    """Start it, with nothing kept from before and nothing left behind."""
    path = executable()
    if path is None:
        raise SystemExit("There is no Chromium here: ./scripts/test --browser installs it where apt-get does.")
    return await playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
