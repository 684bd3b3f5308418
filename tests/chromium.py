"""Which browser the tests look with."""

import os
import shutil


def chromium_path() -> str | None:
    """The browser that `make` found, or one on the path; None for playwright's own."""
    names = ("chromium-headless-shell", "chromium")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
