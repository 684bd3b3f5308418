"""Does a GPU work here? Tests on it, a population timed on it, and a chapter: a table, in minutes.

`python tools/gpu.py`: exit code 0 if all three do, 1 if one does not, 2 without a CUDA device.
`--device cpu` rehearses it where there is none: the tests are skipped, the rest runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw

ROOT = Path(__file__).parents[1]
CHAPTER = "icl_markov"
LIMIT = 300  # seconds for the tests, and for the chapter
MEMBERS, BATCH, LENGTH = 16, 32, 128
STEPS, STEPS_ON_CPU = 50, 3
NEAR = 1e-3  # nats: how far the first losses may lie apart


def tests(device: str) -> tuple[bool, str]:
    """Every test that is marked cuda."""
    must = ["--cuda"] if device == "cuda" else []
    done = run(sys.executable, "-m", "pytest", "-q", "-m", "cuda", *must, "tests/unit")
    return done.returncode == 0, (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def population(device: str) -> tuple[bool, str]:
    """GPTs that are trained at once on `device`: updates a second there and on the CPU."""
    losses, rates = {}, {}
    for name, steps in {device: STEPS, "cpu": STEPS_ON_CPU}.items():
        losses[name], rates[name] = train(torch.device(name), steps)
    apart = float((losses[device][:STEPS_ON_CPU] - losses["cpu"][:STEPS_ON_CPU]).abs().max())
    ratio = rates[device] / rates["cpu"]
    rate = f"{MEMBERS} GPTs: {rates[device]:.3g} updates/s, {ratio:.3g} times the CPU's"
    return apart < NEAR, f"{rate}; losses within {apart:.1g} nats"


def train(device: torch.device, steps: int) -> tuple[torch.Tensor, float]:
    """The members' losses per update, and updates a second once it is warm."""
    config = GPTConfig(10, LENGTH, 64, depth=2, heads=4)
    model = GPT(config, range(MEMBERS)).to(device)
    draws = torch.Generator().manual_seed(0)
    tokens = torch.randint(10, (MEMBERS, BATCH, LENGTH), generator=draws).to(device)
    optimizer = population_adamw(model, 1e-3)

    def go() -> torch.Tensor:
        return fit(model, lambda _: tokens, steps=steps, optimizer=optimizer).loss.cpu()

    first = go()
    started = time.perf_counter()
    go()
    return first, steps / (time.perf_counter() - started)


def chapter(device: str) -> tuple[bool, str]:
    """One notebook at scale smoke, through the runner."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ("--scale", "smoke", "--device", device, "--out", f"{folder}/run")
        done = run(sys.executable, "-m", "synthcore", "run", CHAPTER, *asked)
        if done.returncode:
            return False, done.stderr.strip().splitlines()[-1]
        record = json.loads(Path(folder, "run/record.json").read_text())
    used = record["device"]
    return used["kind"] == device, f"{CHAPTER} on {used['kind']} ({used['name']})"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A process in the project, with its output as text."""
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"not done after {LIMIT} seconds")


CHECKS: dict[str, Callable[[str], tuple[bool, str]]] = {
    "tests marked cuda": tests,
    "a population": population,
    "a chapter": chapter,
}


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    device = parser.parse_args(arguments).device
    if device == "cuda" and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        print(f"This PyTorch ({torch.__version__}, {built}) finds no CUDA device.", file=sys.stderr)
        return 2
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    table = Table(
        "what", "works", "seconds", "measured", title=f"{name}, torch {torch.__version__}"
    )
    all_work = True
    for what, check in CHECKS.items():
        started = time.perf_counter()
        try:
            works, said = check(device)
        except Exception as error:  # the other checks still say what they found
            works, said = False, f"{type(error).__name__}: {error}"
        all_work = all_work and works
        taken = f"{time.perf_counter() - started:.0f}"
        table.add_row(what, "yes" if works else "no", taken, said)
        print(f"{what}: {'yes' if works else 'no'}", file=sys.stderr)
    Console().print(table)
    return 0 if all_work else 1


if __name__ == "__main__":
    sys.exit(main())
