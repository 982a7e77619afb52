"""Print the path of a Chromium for the browser tests: the system's, else the one that Playwright installed."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


if __name__ == "__main__":
    found = find_chromium()
    if found is None:
        sys.exit("no Chromium found")
    print(found)
