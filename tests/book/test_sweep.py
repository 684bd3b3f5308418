"""`synthcore sweep` and `collect` on a tiny study: seeds, resuming, faults."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
import xarray as xr

from synthcore.evidence.record import Record
from synthcore.press.sweep import Grid

KILLS = 20


def test_no_scheduler(project: "Project") -> None:
    done = project.run("sweep", "toy", "--out", "many", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr


def test_a_finished_sweep_runs_nothing(swept: "Project") -> None:
    before = {path: path.stat().st_mtime_ns for path in runs(swept.root / "many")}
    again = swept.run("sweep", "toy", "--out", "many", "--sweep-file", "sweep.yaml")
    assert "4 of 4 runs done, 4 of them before" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in runs(swept.root / "many")} == before


def test_seeds_are_disjoint(swept: "Project") -> None:
    """A dry run names what would run; blocks of seeds do not overlap, even if n_seeds varies."""
    from synthcore.press.studies import Study
    from synthcore.press.sweep import plan

    done = swept.run(
        "sweep", "toy", "--out", "other", "-g", "n_seeds=2,5", "--seeds", "3", "--dry-run"
    )
    assert "6 runs of toy (check), 0 of them done" in done.stdout
    assert not (swept.root / "other").exists()
    with studies_of(swept.root):
        jobs = plan(
            Study(swept.root, "toy"), "check", {}, Grid({"n_seeds": [2, 5]}, seeds=3), Path("x")
        )
    firsts = [(job.parameters.all["n_seeds"], job.parameters.all["seed"]) for job in jobs]
    assert firsts == [(2, 0), (2, 5), (2, 10), (5, 0), (5, 5), (5, 10)]


def test_collect_gives_one_tidy_table(swept: "Project") -> None:
    plot = ("--plot", "x=rate", "y=mean", "hue=steps")
    done = swept.run("collect", "many", *plot)
    assert done.returncode == 0, done.stderr
    assert "4 runs, varying steps, rate." in done.stdout
    table = pd.read_csv(swept.root / "many/table.csv")
    pd.testing.assert_frame_equal(table, pd.read_parquet(swept.root / "many/table.parquet"))
    assert set(zip(table.rate, table.steps, strict=True)) == {
        (r, s) for r in (0.5, 1) for s in (2, 3)
    }
    assert list(table["mean"]) == list(table.rate + 1.5)  # seeds 0 to 3
    assert list(table.C1_observed) == list(table["mean"])
    assert set(table.C1_verdict) <= {"reproduced", "not reproduced"}
    [code] = table.code.unique()
    assert code.startswith("sha256:")  # 12e345 would be a number in a table without types
    assert (swept.root / "many/mean-by-rate.png").read_bytes()[:4] == b"\x89PNG"
    wrong = swept.run("collect", "many", "--plot", "x=rat", "y=mean")
    assert (wrong.returncode, "Did you mean 'rate'?" in wrong.stderr) == (2, True)
    assert swept.run("collect", "notebooks").returncode == 2


def test_a_sweep_can_be_recorded_with_the_book(swept: "Project", tmp_path: Path) -> None:
    """The chapter reads what `--record` wrote, and depends on it."""
    from synthcore.config import StudyConfig
    from synthcore.evidence.chapter import Chapter
    from synthcore.press.runner import current_code
    from synthcore.press.studies import Study

    shutil.copytree(swept.root, tmp_path, dirs_exist_ok=True)
    copy, study = type(swept)(tmp_path), Study(tmp_path, "toy")
    before = current_code(study)
    done = copy.run("collect", "many", "--record", "rates")
    assert done.returncode == 0, done.stderr
    assert current_code(study) != before
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHCORE_ROOT", str(tmp_path))
        chapter = Chapter("toy", StudyConfig(seed=0, n_seeds=1, device="cpu"))
        kept = chapter.sweep("rates")
        assert chapter.sweep("widths") is None
    pd.testing.assert_frame_equal(kept, pd.read_csv(tmp_path / "many/table.csv"))

    study.reference.joinpath("authors.json").write_text("{}")
    taken = copy.run("collect", "many", "--record", "authors")
    assert (taken.returncode, "another name" in taken.stderr) == (2, True)
    path = runs(tmp_path / "many")[0]
    Record.read(path).model_copy(update={"study": "other"}).write(path)
    mixed = copy.run("collect", "many", "--record", "rates")
    assert (mixed.returncode, "several studies: other, toy" in mixed.stderr) == (2, True)


def test_damaged_runs_are_refused_unless_forced(swept: "Project", tmp_path: Path) -> None:
    shutil.copytree(swept.root, tmp_path, dirs_exist_ok=True)
    copy = type(swept)(tmp_path)
    damaged = runs(tmp_path / "many")[0].with_name("data.nc")
    damaged.write_bytes(b"nonsense")
    command = ("sweep", "toy", "--out", "many", "--sweep-file", "sweep.yaml")
    done = copy.run(*command)
    assert done.returncode == 2
    assert str(damaged) in done.stderr
    done = copy.run(*command, "--force")
    assert done.returncode == 0
    assert "4 of 4 runs done, 3 of them before" in done.stdout


def test_a_failing_run_is_reported_and_the_others_go_on(project: "Project") -> None:
    done = project.run("sweep", "toy", "--out", "many", "-g", "mode=raise,die,fine", COLUMNS="300")
    assert done.returncode == 1
    assert "2 of 3 runs failed" in done.stderr
    assert "the toy broke" in done.stdout
    assert len(runs(project.root / "many")) == 1
    kept = list((project.root / "many").glob("*.failed"))
    assert len(kept) == 2
    assert all((folder / "traceback.txt").is_file() for folder in kept)


def test_two_sweeps_into_one_folder(project: "Project") -> None:
    first = project.start("sweep", "toy", "--out", "many", "-p", "mode", "sleep")
    wait_until(lambda: (project.root / "many/.sweep.holder").exists())
    second = project.run("sweep", "toy", "--out", "many", "-g", "rate=1,2")
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr
    kill_family(first.pid)
    first.communicate()


@pytest.mark.thorough
def test_kills_lose_and_repeat_nothing(project: "Project") -> None:
    """kill -9 of the sweep, its workers and its kernels at random moments."""
    options = ("sweep", "toy", "-g", "rate=1,2,3,4,5,6", "--seeds", "2", "--workers", "2")
    whole = project.run(*options, "--out", "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    chance, running, kills = random.Random(0), None, 0
    while kills < KILLS:
        if running is None or running.poll() is not None:
            running = project.start(*options, "--out", "killed", stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 3))
        with contextlib.suppress(psutil.NoSuchProcess):
            sweep = psutil.Process(running.pid)
            victim = chance.choice([sweep, *sweep.children(recursive=True)])
            victim.kill()
            kills += 1
    kill_family(running.pid)
    running.wait()
    done = project.run(*options, "--out", "killed")
    assert done.returncode == 0, done.stdout + done.stderr
    found, wanted = (runs(project.root / name) for name in ("killed", "whole"))
    assert [path.parent.name for path in found] == [path.parent.name for path in wanted]
    assert len(found) == 12
    assert not list((project.root / "killed").glob(".*.partial"))
    for one, other in zip(found, wanted, strict=True):
        a, b = (json.loads(path.read_bytes()) for path in (one, other))
        assert [a[k] for k in ("identity", "claims", "results")] == [
            b[k] for k in ("identity", "claims", "results")
        ]
        xr.testing.assert_identical(
            *(xr.load_dataset(path.with_name("data.nc")) for path in (one, other))
        )


@pytest.mark.thorough
def test_a_cluster_over_tcp_and_the_loss_of_its_scheduler(project: "Project") -> None:
    """Workers that others started; when the scheduler is killed, a new one goes on."""
    options = ("sweep", "toy", "-g", "rate=1,2,3,4", "--out", "many", "--scheduler")
    with cluster(project) as (address, scheduler):
        running = project.start(*options, address)
        wait_until(lambda: len(runs(project.root / "many")) > 0)
        scheduler.kill()
        told, _ = running.communicate(timeout=1500)
        assert running.returncode == 1, told
        assert "The Dask scheduler was lost; start the sweep again to go on." in told
    before = len(runs(project.root / "many"))
    assert 0 < before < 4
    with cluster(project) as (address, _):
        done = project.run(*options, address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 runs done" in done.stdout


@pytest.fixture
def small_disk(project: "Project") -> Iterator[Path]:
    """A file system of 200 kB in the project."""
    folder = project.root / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small file system, and only on Linux")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.thorough
def test_full_disk(project: "Project", small_disk: Path) -> None:
    """Finished runs are intact, the others fail; with room again the sweep goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(90_000))
    options = ("sweep", "toy", "--out", "small/many", "-g", "rate=1,2", "--workers", "1")
    done = project.run(*options, COLUMNS="300")
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    done = project.run(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(runs(small_disk / "many")) == 2


def runs(folder: Path) -> list[Path]:
    """Records of the finished runs."""
    return sorted(folder.glob("*/record.json"))


def wait_until(condition: Callable[[], bool], seconds: float = 1200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def kill_family(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def studies_of(root: Path) -> Iterator[None]:
    """Import the toy of a project in this process."""
    import synthcore.studies

    before = list(synthcore.studies.__path__)
    synthcore.studies.__path__ = [str(root / "synthcore/studies")]
    try:
        yield
    finally:
        synthcore.studies.__path__ = before
        for name in [name for name in sys.modules if name.startswith("synthcore.studies.toy")]:
            del sys.modules[name]


@contextlib.contextmanager
def cluster(project: "Project") -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A Dask scheduler and two workers as processes of their own, joined over TCP on loopback."""
    file = project.root / "scheduler.json"
    file.unlink(missing_ok=True)
    common = {"cwd": project.root, "env": project.environment(), "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    where = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen([*dask, "scheduler", *where, "--no-dashboard"], **common)
    wait_until(file.exists)
    address = json.loads(file.read_text())["address"]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    workers = [subprocess.Popen([*worker, "--death-timeout", "60"], **common) for _ in range(2)]
    try:
        yield address, scheduler
    finally:
        for process in (scheduler, *workers):
            kill_family(process.pid)
            process.wait()
