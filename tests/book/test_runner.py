"""`synthcore run` on a tiny study: exit codes, what is written, and what a fault leaves behind."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "toi"], "Unknown study 'toi'. Did you mean 'toy'?"),
        (["run", "toy", "--scale", "smok"], "Did you mean 'smoke'?"),
        (["run", "toy", "-p", "stepps", "3"], "Unknown parameter 'stepps'. Did you mean 'steps'?"),
        (["run", "toy", "-p", "steps", "many"], "steps must be an integer, 1 to 100 (got 'many')."),
        (["run", "toy", "-p", "steps", "0"], "steps must be an integer, 1 to 100 (got 0)."),
        (["run", "toy", "-p", "steps", "2.5"], "steps must be an integer, 1 to 100 (got 2.5)."),
        (["run", "toy", "-p", "rate", "-1"], "rate must be a number, more than 0 (got -1)."),
        (["run", "toy", "-p", "steps"], "has no value"),
        (["run", "toy", "-f", "absent.yaml"], "Cannot read absent.yaml: No such file"),
        (["run", "toy", "-f", "twice.yaml"], "'steps' stands twice"),
        (["run", "toy", "-f", "broken.yaml"], "Cannot read broken.yaml as YAML: line"),
        (["run", "toy", "-f", "tag.yaml"], "Cannot read tag.yaml as YAML"),
        (["run", "toy", "-f", "key.yaml"], "key.yaml as YAML: line 1: a name is a list or a mappi"),
        (["run", "toy", "-f", "date.yaml"], "Cannot read date.yaml as YAML: it holds a value that"),
        (["run", "toy", "-p", "seed", "9" * 5000], "Cannot read the value of seed"),
        (["run", "toy", "-p", "seed", str(2**64 - 1)], "seed must be an integer, 0 to 2000000000"),
        (
            ["run", "toy", "-p", "seed", "1737900000000000"],
            "seed must be an integer, 0 to 20000000",
        ),
        (["run", "toy", "-p", "rate", "1e999"], "Parameters may be finite numbers"),
        (["run", "toy", "-p", "steps", ""], "steps must be an integer, 1 to 100 (got None)."),
        (["run", "toy", "--device", "gpu"], "device must be one of auto, cpu, cuda (got 'gpu')."),
        (["run", "toy", "--out", "notebooks"], "holds something that is not a run"),
        (["run", "toy", "--out", "twice.yaml/below"], "twice.yaml: "),
        (["sweep", "toy", "--out", "twice.yaml"], "twice.yaml: File exists."),
        (["collect", "twice.yaml"], "twice.yaml holds no finished run."),
        (["site", "--out", "notebooks"], "holds something that is not a site"),
        (["site", "--out", "webpage"], "holds something that is not a site"),
        (["cache", "../elsewhere"], "Nothing is kept of '../elsewhere'."),
        (["cache", "/etc"], "Nothing is kept of '/etc'."),
        (["claims", "toy", "--scale", "chek"], "Unknown scale 'chek'. Did you mean 'check'?"),
        (["run", "toy", "--scale", "paper"], "Scale 'paper' is now called 'authors'."),
        (["claims", "--scale", "book"], "Scale 'book' is now called 'check'."),
        (["verify", "--scale", "recorded"], "Scale 'recorded' is now called 'reference'."),
        (
            ["run", "toy", "-f", "notebooks/params/paper/toy.yaml"],
            "No such file or directory. Scale 'paper' is now called 'authors'.",
        ),
        (["serve"], "There is no site in"),
        (["book", "--root", "notebooks"], "No project at notebooks"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    refusing: "Project", capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    from synthcore.press.cli import main

    before = sorted(refusing.root.rglob("*"))
    with contextlib.chdir(refusing.root), pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    out, err = capsys.readouterr()
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert sorted(refusing.root.rglob("*")) == before  # nothing written


@pytest.mark.parametrize(
    ("path", "fault", "told"),
    [
        ("notebooks/toy.py", b"# %%\nx = = 3\n", "notebooks/toy.py: invalid syntax in 'x = = 3'."),
        ("synthcore/studies/toy/experiment.py", b"x = (1\n", "experiment.py: '(' was never closed"),
        ("notebooks/toy.py", b"# %% \xff\n", "notebooks/toy.py is not text in UTF-8"),
    ],
)
def test_a_malformed_source_is_named(
    project: "Project", capsys: pytest.CaptureFixture[str], path: str, fault: bytes, told: str
) -> None:
    from synthcore.press.cli import main

    file = project.root / path
    file.write_bytes(file.read_bytes() + fault)
    with contextlib.chdir(project.root), pytest.raises(SystemExit) as leaving:
        main(["book"])
    assert leaving.value.code == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_does_not_replace_another_unasked(copy: "Project") -> None:
    before = copy.record()
    done = copy.run("run", "toy", "--out", "_build/runs/toy/check", "--scale", "smoke")
    assert done.returncode == 2
    told = "holds another run, of toy (check): give --out another folder, or replace it with --for"
    assert told in done.stderr
    assert copy.record() == before


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_cuda_without_cuda_is_refused(project: "Project") -> None:
    done = project.run("run", "toy", "--device", "cuda")
    assert done.returncode == 2
    assert "finds no CUDA device: use --device cpu or auto" in done.stderr
    assert project.runs() == []


def test_a_run_leaves_a_complete_record(built: "Project") -> None:
    record = built.record()
    assert record["study"] == "toy"
    assert record["parameters"]["steps"] == 4
    assert record["seeds"] == [0, 1, 2]
    assert record["device"]["kind"] == "cpu"
    assert record["cpu_seconds"] > 0.1
    assert 20 < record["peak_rss_mb"] < 3000
    assert record["claims"][0]["verdict"] == "reproduced"
    assert record["claims"][0]["required"] is True
    assert record["results"] == {"mean": 1.5}
    assert [figure["id"] for figure in record["figures"]] == ["line"]
    assert [data["name"] for data in record["data"]] == ["data.nc"]
    assert "synthcore/studies/toy/experiment.py" in record["code"]["closure"]
    assert not any("press" in name for name in record["code"]["closure"])
    text = (built.root / "_build/runs/toy/check/notebook.ipynb").read_text()
    assert "papermill" not in text
    assert str(built.root) not in text
    assert "noise" not in json.loads(text)["cells"][2]["outputs"]


def test_kernels_take_no_ports(built: "Project") -> None:
    """Two that start together could be given the same one, and one would die."""
    text = (built.root / "_build/runs/toy/check/notebook.ipynb").read_text()
    assert "reached by ipc" in text


def test_lists_are_stable_json(built: "Project") -> None:
    [study] = json.loads(built.run("list", "--json").stdout)
    assert study["study"] == "toy"
    assert study["title"] == "A toy"
    assert study["parameters"]["steps"] == {
        "type": "an integer",
        "range": "1 to 100",
        "description": "how many numbers",
        "default": 4,
    }
    run = study["runs"]["check"]
    wanted = {"started", "seconds", "cpu_seconds", "peak_rss_mb", "device", "parameters"}
    assert wanted | {"versions"} <= set(run)
    [claim] = json.loads(built.run("claims", "--json").stdout)
    assert (claim["study"], claim["id"], claim["scale"]) == ("toy", "C1", "check")
    assert claim["direction"] == ">="
    assert claim["observed"] == pytest.approx(1.5)
    assert claim["n"] == 3


def test_without_runs_there_are_no_claims(project: "Project") -> None:
    done = project.run("claims", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "synthcore run" in done.stderr


@pytest.mark.parametrize("command", [["run", "toy", "--scale", "smoke"], ["book"]])
def test_a_parameter_file_of_an_old_scale_is_refused(
    project: "Project", command: list[str]
) -> None:
    old = project.root / "notebooks/params/recorded"
    old.mkdir()
    (old / "toy.yaml").write_text("steps: 9\n")
    done = project.run(*command)
    assert done.returncode == 2
    told = "notebooks/params/recorded/toy.yaml: scale 'recorded' is now called 'reference'"
    assert told in done.stderr
    assert project.runs() == []


def test_overrides_run_beside_the_scale(copy: "Project") -> None:
    """Later sources win; the book's own run stays, and a claim that fails there exits 1."""
    (copy.root / "other.yaml").write_text("rate: 1e-1\nsteps: 3\n")
    done = copy.run("run", "toy", "-f", "other.yaml", "-p", "steps", "5")
    assert done.returncode == 1
    assert "Required claims were not reproduced: toy C1." in done.stderr
    [name] = [name for name in copy.runs() if name != "check"]
    record = copy.record(name)
    assert (record["parameters"]["rate"], record["parameters"]["steps"]) == (0.1, 5)
    assert record["overrides"] == ["rate", "steps"]
    assert copy.record()["parameters"]["steps"] == 4


def test_a_run_can_be_recorded_with_the_book(copy: "Project") -> None:
    done = copy.run("run", "toy", "--scale", "smoke", "--record", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert (copy.root / "elsewhere/record.json").is_file()
    names = {path.name for path in (copy.root / "book/reference/toy").iterdir()}
    assert names == {"smoke.nc", "smoke.json"}
    [study] = json.loads(copy.run("list", "--json").stdout)
    assert set(study["runs"]) == {"check", "smoke"}
    done = copy.run("site")
    assert done.returncode == 1  # the chapter may show the recorded run, so its own is stale
    assert "the recorded run changed" in done.stderr


@pytest.mark.parametrize(
    ("mode", "told"),
    [("raise", "ArithmeticError: the toy broke"), ("die", "the kernel died")],
)
def test_a_failed_run_is_kept_apart(project: "Project", mode: str, told: str) -> None:
    done = project.run("run", "toy", "-p", "mode", mode)
    assert done.returncode == 1
    assert told in done.stderr
    [name] = project.runs()
    assert name.endswith(".failed")
    kept = project.root / "_build/runs/toy" / name
    assert (kept / "notebook.ipynb").is_file()
    assert (kept / "traceback.txt").stat().st_size > 0
    assert not (kept / "record.json").exists()
    assert json.loads(project.run("claims", "--json").stdout) == []


def test_what_is_the_users_own_does_not_reach_a_run(
    project: "Project", tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Start-up files, styles and a long name of the folder of temporary files."""
    home = tmp_path_factory.mktemp("user") / ("home" * 25)
    startup = home / ".ipython/profile_default/startup/0.py"
    files = {
        startup: "import builtins; builtins.INTRUDER = 1",
        home / ".config/matplotlib/matplotlibrc": "text.usetex: True\nfigure.facecolor: black\n",
        project.root / "matplotlibrc": "text.usetex: True\nfont.size: 30\n",
        project.root / "notebooks/matplotlibrc": "text.usetex: True\nfont.size: 31\n",
        home / "startup.py": "import builtins; builtins.INTRUDER = 2",
        home / "seaborn.py": "raise RuntimeError('another seaborn')",
        home / "tmp/here": "",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project.edit(
        "notebooks/toy.py",
        "import os, signal",
        "import builtins, matplotlib, seaborn\n"
        "assert not hasattr(builtins, 'INTRUDER')\n"
        "assert not matplotlib.rcParams['text.usetex']\n"
        "assert matplotlib.rcParams['figure.facecolor'] == 'white'\n"
        "assert matplotlib.rcParams['font.size'] == 10\n"
        "import os, signal",
    )
    mine = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONPATH": f"{project.root}{os.pathsep}{home}",
    }
    for name in ("IPYTHONDIR", "MPLCONFIGDIR"):
        assert name not in os.environ
    done = project.run("run", "toy", "--scale", "smoke", **mine)
    assert done.returncode == 0, done.stderr


def test_time_limit(project: "Project") -> None:
    done = project.run("run", "toy", "-p", "mode", "sleep", "--time-limit", "4")
    assert done.returncode == 1
    assert "time limit of 4 seconds reached" in done.stderr
    assert [name[-7:] for name in project.runs()] == [".failed"]


def test_kill_of_the_runner_and_its_lock(project: "Project") -> None:
    """A second run names the first; kill -9 leaves nothing half-written, and a restart works."""
    sleeping = ("run", "toy", "--out", "there", "-p", "mode", "sleep")
    first = project.start(*sleeping, stdout=subprocess.DEVNULL)
    growing = project.root / ".there.partial"
    _wait_for(growing / "cells.json")
    second = project.run("run", "toy", "--out", "there")
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr
    kernels = psutil.Process(first.pid).children(recursive=True)
    for kernel in kernels:
        kernel.suspend()  # it outlives its runner, as a busy one would for a while
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (project.root / "there").exists()
    again = project.run("run", "toy", "--out", "there")
    assert again.returncode == 0, again.stderr
    assert (project.root / "there/record.json").is_file()
    assert not growing.exists()
    assert not any(kernel.is_running() for kernel in kernels)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 600  # a loaded machine is slow
    while not path.exists():
        assert time.monotonic() < deadline, os.listdir(path.parent.parent)
        time.sleep(0.1)
