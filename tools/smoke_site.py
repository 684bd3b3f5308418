"""Run every chapter at scale smoke and build the site from that, cut off from other machines.

`python tools/smoke_site.py`: a step before the tests that look at the site in `_build/smoke/html`.
What is fresh is left alone. Attempts to reach another machine are noted in
`_build/smoke/network.log`, which is absent if there was none.
"""

import os
import subprocess
import sys
from pathlib import Path

from synthcore.press.vendor import vendor_files

ROOT = Path(__file__).parents[1]
MAKE = """
import sys
from pathlib import Path
from synthcore.press.book import make
make(Path(sys.argv[1]), scale="smoke")
"""


def main() -> int:
    """Exit code of the build."""
    vendor_files(ROOT)  # an emptied cache is filled again, before other machines are shut out
    guard = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "offline")]),
        "OFFLINE_LOG": str(ROOT / "_build" / "smoke" / "network.log"),
    }
    command = [sys.executable, "-c", MAKE, str(ROOT)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **guard}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
