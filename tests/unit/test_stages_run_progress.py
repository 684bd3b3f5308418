"""Progress of a run: what it shows is tested with the runner; here, that memory is given back."""

import subprocess
import sys

import pytest

IN_PIECES = """
import psutil
from pathlib import Path
from synthcore.stages.run_progress import RunProgress

def held():
    return psutil.Process().memory_info().rss / 2**20

before = held()
large, small = [], []
for _ in range(4000):  # 200 MB of what goes, cut up by what stays
    large.append(bytearray(50_000))
    small.append(bytearray(600))
del large
pieces = held() - before
RunProgress(Path({folder!r}))("training", 1, 2)
print(pieces, held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a function of the C library")
def test_memory_in_pieces_is_given_back(tmp_path: object) -> None:
    code = IN_PIECES.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pieces, left = map(float, done.stdout.split())
    assert pieces > 150
    assert left < 50
