"""Take screenshots of the documentation site at desktop and phone width: `make screenshots`.

Needs a Chromium: the one of Debian and Ubuntu (`apt install chromium`), the one in CHROMIUM, or
Playwright's (`playwright install chromium`). Fails if a page is wider than the window.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "dist/site"
OUTPUT = ROOT / "dist/screenshots"
#: Width and height in CSS pixels.
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PAGES = (
    "",
    "quickstart/",
    "training/",
    "losses/",
    "sampling/",
    "examples/",
    "configuration/",
    "command-line/",
    "api/clients/",
    "from-the-official-sdk/",
)


class Handler(SimpleHTTPRequestHandler):
    """Serves the site without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        pass


def main() -> int:
    pages = tuple(sys.argv[1:]) or PAGES
    OUTPUT.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    # Chromium has no sandbox for root, such as in a container.
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        too_wide = [
            f"{page or 'index'} ({size}, {scheme})"
            for size in SIZES
            for scheme in ("light", "dark")
            for page in pages
            if not fits(browser, url, page, size, scheme)
        ]
        browser.close()
    server.shutdown()
    print(f"{len(pages) * len(SIZES) * 2} screenshots: {OUTPUT.relative_to(ROOT)}")
    if too_wide:
        print(f"Wider than the window: {', '.join(too_wide)}", file=sys.stderr)
    return 1 if too_wide else 0


def fits(browser: Browser, url: str, page: str, size: str, scheme: str) -> bool:
    """Take a screenshot of the top of a page; return whether the page fits into the width."""
    width, height = SIZES[size]
    tab = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab.goto(url + page, wait_until="networkidle")
    name = page.strip("/").replace("/", "-") or "index"
    tab.screenshot(path=OUTPUT / f"{name}-{size}-{scheme}.png")
    content = int(tab.evaluate("document.documentElement.scrollWidth"))
    tab.close()
    return content <= width


if __name__ == "__main__":
    sys.exit(main())
