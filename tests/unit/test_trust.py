"""What the page on trust promises and needs no run to check: the lock and its digests agree."""

import json
import re
from pathlib import Path

from synthcore.press.pages import benchmarks_table

ROOT = Path(__file__).parents[2]


def locked(name: str) -> set[str]:
    """`package==version ; marker` of every line of a lock that names a package."""
    lines = (ROOT / name).read_text().splitlines()
    named = (line.removesuffix("\\").strip() for line in lines if re.match(r"[\w.-]+==", line))
    return {re.sub(r"\s*;\s*", " ; ", line) for line in named}


def test_every_locked_package_has_its_digests() -> None:
    assert locked("hashes.txt") == locked("constraints.txt")
    blocks = re.split(r"^(?=\S)", (ROOT / "hashes.txt").read_text(), flags=re.MULTILINE)
    for block in filter(None, blocks):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block.splitlines()[0]


def test_the_table_of_benchmarks_says_all_that_was_stored() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    table = benchmarks_table(rows)
    for row in rows:
        assert f"| `{row['name']}`: {row['what']} | {row['value']:.3g} " in table
        assert f"{row['machine']}; {row['date']}." in table
    assert table in (ROOT / "benchmarks" / "README.md").read_text()
