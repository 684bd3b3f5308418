"""A web server for the built site, for this machine only."""

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from synthcore.press.errors import Refused


def serve_folder(folder: Path, port: int) -> None:
    """Serve on 127.0.0.1 until interrupted. Raises Refused without a site or a free port."""
    if not (folder / "index.html").is_file():
        raise Refused(f"There is no site in {folder}: build it with synthcore book.")
    handler = functools.partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise Refused(
            f"Cannot use port {port} ({error.strerror}): choose one with --port."
        ) from None
    with server:
        print(f"http://127.0.0.1:{port} (stop with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


class _Quiet(SimpleHTTPRequestHandler):
    """No line per request; always the newest files."""

    def log_message(self, format: str, *args: object) -> None:
        return

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()
