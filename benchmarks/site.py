"""What a reader waits for: the first picture of the slowest page, from a server on this machine."""

import functools
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.measuring import Benchmark

HTML = Path(__file__).parents[1] / "_build" / "html"
PAINT = """() => new Promise(resolve => new PerformanceObserver(list => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint) resolve(paint.startTime / 1000);
}).observe({ type: 'paint', buffered: true }))"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def first_view() -> float:
    """Seconds to the first contentful paint, the longest of all chapters, with an empty cache."""
    from playwright.sync_api import sync_playwright

    chapters = sorted((HTML / "notebooks").glob("*.html"))
    if not chapters:
        raise SystemExit("There is no site in _build/html: make book first.")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    waits = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        for path in chapters:
            page = chromium.new_context().new_page()  # a context of its own: an empty cache
            page.goto(f"http://127.0.0.1:{server.server_port}/notebooks/{path.name}")
            waits.append(float(page.evaluate(PAINT)))
        chromium.close()
    server.shutdown()
    return max(waits)


BENCHMARKS = (
    Benchmark(
        "first-view",
        "first view of the slowest chapter, served locally",
        "s",
        "<=",
        2.0,
        first_view,
    ),
)
