"""check_files.py FILE...: refuse notebooks that are not py:percent text, and files that are large.

A chapter is `notebooks/<study>.py`, so that changes can be read; `.ipynb` files are made of it.
Results that ship with the book may have 3 MB, everything else 512 kB.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

LARGEST = 512 * 1024
LARGEST_RESULT = 3 * 1024 * 1024


def faults(paths: Iterable[Path]) -> Iterator[str]:
    """A sentence for every file that may not be committed; paths are relative to the project."""
    for path in paths:
        size = path.stat().st_size
        result = path.parts[:1] == ("book",) and path.suffix in {".nc", ".safetensors"}
        largest = LARGEST_RESULT if result else LARGEST
        if size > largest:
            yield f"{path} has {size // 1024} kB, more than {largest // 1024}."
        if path.suffix == ".ipynb":
            yield f"{path}: a chapter is a text notebook (jupytext --to py:percent)."
        if path.parts[:1] == ("notebooks",) and path.suffix == ".py" and not is_percent(path):
            yield f"{path} is not in py:percent form: a header with a kernelspec, then cells."


def is_percent(path: Path) -> bool:
    """Whether a file has the header of a text notebook and starts its first cell with `# %%`."""
    header = r"\A# ---\n(?:#.*\n)*?#   kernelspec:\n(?:#.*\n)*?# ---\n\s*# %%"
    return re.search(header, path.read_text("utf-8")) is not None


if __name__ == "__main__":
    found = list(faults(Path(name) for name in sys.argv[1:]))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))
