"""No network at run time: what made the site behind these tests was cut off, and did not ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OFFLINE = Path(__file__).parents[1] / "offline"


def test_nothing_asked_another_machine(site: Path, network_log: Path) -> None:
    if "MODEL_SYSTEMS_SITE" in os.environ:
        pytest.skip("the site was built elsewhere")
    assert not network_log.exists(), network_log.read_text()


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("socket.create_connection(('192.0.2.1', 80), 1)", False),
        ("socket.getaddrinfo('example.org', 443)", False),
        ("urllib.request.urlopen('https://example.org')", False),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", False),
        ("socket.create_server(('127.0.0.1', 0))", True),
        ("socket.getaddrinfo('localhost', 80)", True),
    ],
)
def test_the_guard_lets_nothing_out(code: str, passes: bool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", f"import socket, urllib.request; {code}"],
        env={**os.environ, "PYTHONPATH": str(OFFLINE), "OFFLINE_LOG": str(log)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) is passes
    assert ("No network at run time" in done.stderr) is not passes
    assert log.exists() is not passes
