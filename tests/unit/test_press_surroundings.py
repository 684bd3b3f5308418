"""What of a user's machine reaches a run, and what of a folder's other files reaches the book."""

import io
import json
import os
import stat
import tempfile
from pathlib import Path

import pytest
import xarray as xr
import yaml

from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import Record
from synthcore.press import cluster, kernel
from synthcore.press.collect import read_records, table, write_tables
from synthcore.press.errors import Refused
from synthcore.press.options import print_json, warn_of_other_code
from synthcore.press.runner import current_code
from synthcore.press.runs import recorded_runs
from synthcore.press.studies import Study, all_studies, find_study
from synthcore.press.surroundings import NOT_OURS, kernel_environment
from synthcore.press.tables import show_failures
from synthcore.stages.store import About, write_result

ROOT = Path(__file__).parents[2]


def test_switches_and_loose_modules_do_not_reach_a_kernel(tmp_path: Path) -> None:
    project, loose, installed = (tmp_path / name for name in ("project", "loose", "installed"))
    for folder in (project / "tests", loose, installed / "a-1.0.dist-info"):
        folder.mkdir(parents=True)
    path = [str(loose), str(installed), str(project / "tests"), ""]
    outside = dict.fromkeys(NOT_OURS, "1") | {"PYTHONPATH": os.pathsep.join(path), "HOME": "/h"}
    env = kernel_environment(
        outside | {"MATPLOTLIBRC": str(loose), "OMP_NUM_THREADS": "3"}, project
    )
    assert not set(NOT_OURS) & set(env)
    assert env["PYTHONPATH"].split(os.pathsep) == [str(project), *path[1:3]]
    assert "mpl-data" in env["MATPLOTLIBRC"]
    assert (env["HOME"], env["OMP_NUM_THREADS"]) == ("/h", "3")


def test_sockets_have_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/{90 * 'x'}")
    place = kernel._short()
    assert place is None or len(place) < kernel.LONGEST - 20
    monkeypatch.setattr(tempfile, "tempdir", "/")
    assert kernel._short() == "/" or not os.access("/", os.W_OK)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({}, None),
    ],
)
def test_a_container_has_the_cores_of_its_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cluster._quota(tmp_path) == cores
    monkeypatch.setattr(cluster, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3), raising=False)
    assert cluster.cores() == min(3, cores or 3)


def test_threads_are_as_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "cores", lambda: 8)
    for given, threads in (("1", 1), ("6,2", 6), ("many", 4), ("0", 4), ("", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert cluster.threads(2) == threads


def test_files_of_others_in_the_notebooks_are_no_studies(tmp_path: Path) -> None:
    study = Study(tmp_path, "coin")
    for folder in (study.reference, tmp_path / "synthcore/studies/coin"):
        folder.mkdir(parents=True)
    for name in ("coin", "coin-Copy1", "._coin", "Untitled", "coin (conflicted copy)"):
        path = tmp_path / "notebooks" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("# %%\nx = 1\n" if "." not in name else "\0\5\26\7")
    (tmp_path / "notebooks/.#coin.py").symlink_to("somebody@somewhere.1234")
    before = current_code(study)
    for name in ("._reference.json", "._a.b.nc", ".#reference.nc"):
        (study.reference / name).write_bytes(b"\0")
    for name in (".ipynb_checkpoints", "smoke"):
        (tmp_path / "notebooks/params" / name).mkdir(parents=True)
        (tmp_path / "notebooks/params" / name / "coin.yaml").write_text("")
    assert all_studies(tmp_path) == [study]
    assert (study.scales, study.shipped) == (["check", "smoke"], [])
    assert current_code(study) == before
    assert recorded_runs(study) == {}
    with pytest.raises(Refused, match=r"Untitled\.py is no study: there is no synthcore/studies/U"):
        find_study(tmp_path, "Untitled")


def test_another_clones_code_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_other_code(ROOT)
    warn_of_other_code(tmp_path)  # without code of its own
    assert capsys.readouterr().err == ""
    (tmp_path / "synthcore").mkdir()
    (tmp_path / "synthcore/__init__.py").write_text("")
    warn_of_other_code(tmp_path)
    err = capsys.readouterr().err
    assert f"{ROOT}/synthcore checks parameters" in err
    assert f"the project's own code is {tmp_path}/synthcore" in err


def test_no_column_is_cut_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show_failures([("toy", "x" * 300, "y" * 300)])
    [row] = [line for line in capsys.readouterr().out.splitlines() if "x" in line and "toy" in line]
    assert "x" * 300 in row
    assert "y" * 300 in row


def test_letters_that_a_stream_cannot_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is escaped; the rest becomes question marks, and no command dies of it."""
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="replace", write_through=True)
    monkeypatch.setattr("sys.stdout", stream)
    print_json({"θ": "–"})
    show_failures([("θ", "–", "")])
    shown = stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert json.loads(shown[: shown.index("}") + 1]) == {"θ": "–"}
    assert "?" in shown


def test_files_have_the_modes_of_the_umask(tmp_path: Path) -> None:
    for mask, mode in ((0o077, 0o600), (0o022, 0o644)):
        before = os.umask(mask)
        try:
            write_atomic(tmp_path / "file", "text")
            about = About("s", "t", {}, (0,), "2", {}, "cpu", 0.0, "now")
            write_result(tmp_path / "result.nc", xr.Dataset({"a": ("seed", [1.0])}), about)
        finally:
            os.umask(before)
        for name in ("file", "result.nc", "result.json"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


def test_binder_takes_torch_without_cuda() -> None:
    """Its 2 GB hold no CUDA build; the index is the one that readers are told of."""
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    [index] = [line.split()[1] for line in wanted if line.startswith("--extra-index-url")]
    assert f"PIP_EXTRA_INDEX_URL={index}" in (ROOT / "README.md").read_text()


def test_a_table_of_runs_whose_parameters_have_other_types(tmp_path: Path) -> None:
    """Unfinished and replaced runs are none of it, and both files are written or neither."""
    import pandas as pd

    source = next(iter(ROOT.glob("book/reference/*/reference.json")))
    record = Record.read(source)
    sizes = {"a": [4, 16], "b": 3, "c": "all", "d": None}
    for name, value in [*sizes.items(), (".e.partial", 1), (".f.old", 1), ("g.failed", 1)]:
        changed = record.model_copy(update={"parameters": {"size": value}})
        changed.write(tmp_path / name / "record.json")
    frame = table(read_records(tmp_path))
    paths = [tmp_path / "table.csv", tmp_path / "table.parquet"]
    write_tables(frame, paths)
    for found in (pd.read_csv(paths[0]), pd.read_parquet(paths[1])):
        values = dict(zip(found["run"], found["size"], strict=True))
        assert {name: value for name, value in values.items() if name != "d"} == {
            "a": "[4, 16]",
            "b": "3",
            "c": "all",
        }
        assert pd.isna(values["d"])
    with pytest.raises(Refused, match="must end in"):
        write_tables(frame, [tmp_path / "one.csv", tmp_path / "two.xls"])
    assert not (tmp_path / "one.csv").exists()
