"""Run benchmarks and print a table: `python -m benchmarks [NAME] [--json] [--runs N] [--write]`.

Every run is a process of its own; a row is the median of its runs. `--write` stores each row in
`results.json` and in the table of `README.md` beside this file as soon as it is measured.
"""

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from synthcore.press.pages import benchmarks_table

HERE = Path(__file__).parent
TABLE = re.compile(r"(<!-- table -->\n).*(<!-- end of table -->)", re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", help="one benchmark (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="processes per benchmark (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="store the results in benchmarks/")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    # Imported late: `--help` and bad usage answer at once.
    from benchmarks import (
        batch,
        compositional_capabilities,
        concept_space,
        explorers,
        finetuning_wrappers,
        forking_paths,
        generation,
        icl_markov,
        k_adam,
        percolation,
        representation_shattering,
        sim_concept_learning,
        site,
        stepwise_inference,
        training,
    )

    rooms = (
        training,
        generation,
        icl_markov,
        k_adam,
        sim_concept_learning,
        stepwise_inference,
        compositional_capabilities,
        finetuning_wrappers,
        percolation,
        forking_paths,
        representation_shattering,
        concept_space,
        batch,
        explorers,
        site,
    )
    known = {b.name: b for room in rooms for b in room.BENCHMARKS}
    if options.name is not None and options.name not in known:
        parser.error(f"unknown benchmark '{options.name}'; choose from {', '.join(known)}")
    if options.measure:
        print(json.dumps(known[options.name].measure()))
        return 0

    load = round(os.getloadavg()[0], 1)  # of others, before we begin: 0 on an idle machine
    rows = []
    for benchmark in known.values():
        if options.name not in (None, benchmark.name):
            continue
        runs = [one_run(benchmark.name) for _ in range(options.runs)]
        value = statistics.median(runs)
        row: dict[str, Any] = {
            "name": benchmark.name,
            "what": benchmark.what,
            "value": value,
            "unit": benchmark.unit,
            "direction": benchmark.direction,
            "target": benchmark.target,
            "met": benchmark.met(value),
            "runs": runs,
            "machine": machine(),
            "load": load,
            "date": str(datetime.date.today()),
        }
        print(f"{benchmark.name}: {value:.3g} {benchmark.unit}", file=sys.stderr)
        rows.append(row)
        if options.write:
            store(row, list(known))
    print(json.dumps(rows, indent=1) if options.json else benchmarks_table(rows))
    return 0 if all(row["met"] for row in rows) else 1


def store(row: dict[str, Any], names: list[str]) -> None:
    """Put one row in the place of its predecessor, in both files."""
    results = HERE / "results.json"
    rows = {old["name"]: old for old in json.loads(results.read_text())} | {row["name"]: row}
    ordered = [rows[name] for name in names if name in rows]
    results.write_text(json.dumps(ordered, indent=1) + "\n")
    readme = HERE / "README.md"
    table = benchmarks_table(ordered)
    readme.write_text(TABLE.sub(lambda m: f"{m[1]}{table}\n{m[2]}", readme.read_text()))


def one_run(name: str) -> float:
    """Measure in a fresh process, so that no run warms up another."""
    command = [sys.executable, "-m", "benchmarks", name, "--measure"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def machine() -> str:
    """The class of machine, not its name."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    simd = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    return (
        f"{cores} cores, {platform.machine()} {simd}, {threads} threads, torch {torch.__version__}"
    )


if __name__ == "__main__":
    sys.exit(main())
