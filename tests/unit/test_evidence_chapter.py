"""The chapter object, live and under a runner."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from bs4 import BeautifulSoup
from matplotlib import pyplot
from matplotlib.figure import Figure

from synthcore.config import StudyConfig
from synthcore.evidence import chapter as module
from synthcore.evidence import claim as evidence
from synthcore.evidence import statistics
from synthcore.evidence.chapter import Chapter
from synthcore.evidence.decide import claim_records
from synthcore.evidence.files import sha256
from synthcore.evidence.first_edition import Claim, at_least
from synthcore.evidence.record import CodeRecord, DamagedRecord, Device, FileRecord, Record

CONFIG = StudyConfig(seed=0, n_seeds=3, device="cpu")
DATA = xr.Dataset({"a": ("seed", [1.0, 2.0, 3.0]), "name": ("seed", ["x", "y", "z"])})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What the chapter displays: (bundle, metadata)."""
    displayed: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(
        module,
        "display",
        lambda bundle, raw, metadata: displayed.append((bundle, (metadata or {}).get("synthcore"))),
    )
    return displayed


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As under the runner, at smoke scale."""
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SYNTHCORE_SCALE", "smoke")
    monkeypatch.setenv("SYNTHCORE_ROOT", str(tmp_path))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_live_a_cell_of_results_may_be_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNTHCORE_RUN_DIR", raising=False)
    chapter = Chapter("toy", CONFIG)
    for mean in (1.0, 2.0):
        chapter.results(mean=mean)
    with pytest.raises(ValueError, match="The name of the result 'seed' is taken"):
        chapter.results(seed=1)


def test_outside_a_project_nothing_is_said_of_its_runs(
    monkeypatch: pytest.MonkeyPatch, shown: list[Any]
) -> None:
    monkeypatch.delenv("SYNTHCORE_RUN_DIR", raising=False)
    monkeypatch.delenv("SYNTHCORE_ROOT", raising=False)
    monkeypatch.setattr(module, "find_root", lambda *_: None)
    Chapter("toy", CONFIG).recorded_note()
    assert "Larger runs come with the project" in shown[-1][0]["text/plain"]


def figure() -> Figure:
    fig, axes = pyplot.subplots(figsize=(2, 1))
    axes.plot([0, 1])
    return fig


@pytest.mark.parametrize(
    ("values", "scale", "told"),
    [
        ({"seed": 0, "n_seeds": 3}, "check", ""),
        ({"seed": 7, "n_seeds": 2}, "check, changed", "Scale check, changed (n_seeds, seed): no"),
    ],
)
def test_of_a_live_run_with_changed_values_nothing_is_required(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, int],
    scale: str,
    told: str,
) -> None:
    monkeypatch.setenv("SYNTHCORE_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/toy.py").write_text(
        '# %% tags=["parameters"]\nseed = 0\nn_seeds = 3\ndevice = "auto"\n\n# %%\nseed + 1\n'
    )
    chapter = Chapter("toy", StudyConfig(device="cpu", **values))
    assert chapter.scale == scale
    assert told in capsys.readouterr().out
    claim = Claim("C1", "So.", "", lambda d: at_least(d.a, 0.5), {"check": True}, lambda d: d)
    [record] = claim_records([claim], DATA, chapter.scale)
    assert record.verdict == "reproduced"
    assert record.required is (scale == "check")


def test_live_everything_is_shown_and_nothing_written(
    tmp_path: Path,
    shown: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SYNTHCORE_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    chapter = Chapter("toy", CONFIG)
    chapter.save(DATA)
    for _ in range(2):  # a cell may be run again
        chapter.figure(figure(), id="f", caption="Up.", alt="A line.")
    chapter.text("{a:.1f} of {b}", a=DATA.a.mean(), b=3)
    chapter.progress("train", 4, 4)
    chapter.claims([], DATA)
    assert list(tmp_path.iterdir()) == []
    assert [about for _, about in shown[:2]] == [
        {"id": "f", "caption": "Up.", "alt": "A line."},
        {"caption_of": "f"},
    ]
    assert shown[1][0]["text/markdown"] == "*Up.*"
    assert shown[4][0]["text/markdown"] == "2.0 of 3"
    printed = capsys.readouterr().out
    assert "device: cpu" in printed
    assert "train [########################] 4/4" in printed
    assert pyplot.get_fignums() == []


def test_a_run_keeps_data_figures_claims_and_progress(running: Path, shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    chapter.save(DATA)
    chapter.figure(figure(), id="f", caption="Up.", alt="A line.")
    chapter.progress("train", 1, 4)
    chapter.progress("train", 2, 4)  # too soon after the first to be written
    needs = {"smoke": True}
    claim = Claim("C1", "s", "w", lambda data: at_least(data.a, 0.5), needs, lambda data: data)
    chapter.claims([claim], DATA)
    xr.testing.assert_identical(xr.load_dataset(running / "data.nc", engine="h5netcdf"), DATA)
    assert (running / "figures/f.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((running / "progress.json").read_text())["done"] == 1
    [kept] = json.loads((running / "claims.json").read_text())
    assert (kept["id"], kept["verdict"], kept["required"]) == ("C1", "reproduced", True)
    with pytest.raises(ValueError, match="Two figures have the id 'f'"):
        chapter.figure(figure(), id="f", caption="", alt="")
    pyplot.close("all")


def test_a_run_keeps_what_a_verdict_rests_on(
    running: Path, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHCORE_SCALE", "check")
    claims = (
        evidence.Claim(
            "C1",
            "It is large.",
            where="Fig. 1",
            primary=lambda data: statistics.at_least(data.a, 0.5),
            threshold_source="paper Fig. 1",
            control=lambda data: data.assign(a=data.a - 1),
        ),
        Claim("C2", "s", "w", lambda data: at_least(data.a, 0.5), {"check": True}, lambda d: d),
    )
    Chapter("toy", CONFIG).claims(claims, DATA)
    new, old = json.loads((running / "claims.json").read_text())
    assert (new["kind"], old["kind"]) == ("empirical", None)
    assert new["verdict"] in ("reproduced", "undecided")
    assert (new["threshold_source"], new["n"]) == ("paper Fig. 1", DATA.sizes["seed"])
    assert new["control"]["observed"] == pytest.approx(new["observed"] - 1)
    assert 0 <= new["power"] <= 1
    [(bundle, about)] = shown
    assert about == {"claims": True}
    assert bundle["text/html"].count("<tbody>") == 2


def test_saved_data_are_small_however_they_are_cut(running: Path) -> None:
    """A few large variables are compressed; small ones cost little more than their names."""
    chapter = Chapter("toy", CONFIG)
    chapter.save(xr.Dataset({"a": ("x", np.zeros(100_000))}), "large")
    small = {f"v{i}": ("x", np.zeros(100)) for i in range(100)}
    chapter.save(xr.Dataset(small), "small")
    assert (running / "large.nc").stat().st_size < 100_000
    assert (running / "small.nc").stat().st_size < 100 * (800 + 1600)


def test_the_same_figure_has_the_same_bytes(running: Path, shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    for name in ("a", "b"):
        chapter.figure(figure(), id=name, caption="", alt="")
    assert sha256(running / "figures/a.png") == sha256(running / "figures/b.png")


def test_recorded_runs_are_verified(running: Path, shown: list[Any]) -> None:
    """Scale `authors` comes before others; a damaged file is refused by name."""
    chapter = Chapter("toy", CONFIG)
    assert chapter.recorded() is None
    folder = running.parent / "book/reference/toy"
    folder.mkdir(parents=True)
    for scale, data in (("reference", DATA), ("authors", 2 * DATA[["a"]])):
        path = folder / f"{scale}.nc"
        data.to_netcdf(path, engine="h5netcdf")
        file = FileRecord(name=path.name, sha256=sha256(path), bytes=path.stat().st_size)
        Record(
            study="toy",
            scale=scale,
            identity="x",
            parameters={"steps": 3},
            seeds=(0,),
            code=CodeRecord(notebook="", closure={}, lock="", recorded={}),
            versions={},
            device=Device(kind="cpu", name="some"),
            started="2026-01-01T00:00:00+00:00",
            seconds=60.0,
            cpu_seconds=60.0,
            peak_rss_mb=1.0,
            data=(file,),
        ).write(folder / f"{scale}.json")
    found = chapter.recorded()
    assert found is not None
    assert found.a.values.tolist() == [2, 4, 6]
    assert chapter.recorded("reference") is not None
    chapter.recorded_note()
    assert "scale *authors*" in shown[-1][0]["text/markdown"]
    (folder / "authors.nc").write_bytes(b"")
    with pytest.raises(DamagedRecord, match=r"authors\.nc is damaged"):
        chapter.recorded()


def test_source_unfolds_below_figures_and_explorers(running: Path, shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    chapter.figure(figure(), id="f", caption="Up.", alt="A line.", source=figure)
    widget = SimpleNamespace(model_id="m")
    chapter.explorer(widget, id="e", caption="Move.", alt="A map.", still=figure(), source=figure)
    assert [about for _, about in shown if "source_of" in about] == [
        {"source_of": "f"},
        {"source_of": "e"},
    ]
    _, about = shown[0]
    assert about["width"] == 200
    assert {"dark", "caption"} <= set(about)
    assert "dark" not in shown[3][1], "an explorer draws itself on any ground"
    html = shown[2][0]["text/html"]
    assert "subplots" in html
    assert "tests/unit/test_evidence_chapter.py" in shown[2][0]["text/plain"]


def test_a_figure_with_a_source_can_be_read_or_is_refused(shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    fig = figure()
    fig.axes[0].set_xlabel("small", fontsize=5)
    with pytest.raises(ValueError, match=r"Figure 'f' cannot be read: its smallest text has 5\.0"):
        chapter.figure(fig, id="f", caption="", alt="", source=figure)
    chapter.figure(fig, id="f", caption="", alt="")
    assert len(shown) == 2


def test_two_ways_to_a_number_agree_or_both_are_shown(shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    chapter.same(torch.tensor([1.0, 2.00005], requires_grad=True), np.array([1.0, 2.0]))
    line = shown[-1][0]["text/markdown"]
    assert "2.00005 and 2 (of 2 pairs those furthest apart, at [1]) agree" in line
    with pytest.raises(AssertionError, match=r"1\.001 and 1 differ by 1\.0e-03; 1e-04 is allowed"):
        chapter.same(1.001, 1.0)
    chapter.same(1.001, 1.0, within=1e-2)
    chapter.same(-math.inf, -math.inf)
    for left, right, told in [
        (math.nan, math.nan, "nan and nan differ"),
        ([math.nan, 1.0], [0.0, 1.0], "nan and 0"),
        ([1.0], [1.0, 1.0], "shapes differ"),
        ([], [], "nothing to compare"),
        (math.inf, -math.inf, "inf and -inf"),
    ]:
        with pytest.raises(AssertionError, match=told):
            chapter.same(left, right, within=1e9)


def test_parameters_are_tables_of_few_and_of_all(shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    chapter.parameters(first=("n_seeds",))
    few, every = BeautifulSoup(shown[-1][0]["text/html"], "html.parser").select("table")
    texts = [[cell.text for cell in row.select("th, td")] for row in few.select("tr")]
    assert texts == [
        ["Turn first", "here", "range", "meaning"],
        ["n_seeds", "3", "1 to 64", "members trained per condition"],
    ]
    assert [row.th.text for row in every.select("tbody tr") if row.th] == list(
        StudyConfig.model_fields
    )
    assert every.find_parent("details") is not None
    for wrong, told in [
        (("n_seed",), "Did you mean 'n_seeds'"),
        ((), "got 0"),
        (("seed",) * 7, "got 7"),
    ]:
        with pytest.raises(ValueError, match=told):
            chapter.parameters(first=wrong)


def test_differences_from_the_paper_are_a_table(
    running: Path, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = Chapter("toy", CONFIG)
    monkeypatch.chdir(running.parent)
    (running.parent / "notebooks/params/authors").mkdir(parents=True)
    (running.parent / "_toc.yml").touch()
    source = running.parent / "notebooks/params/authors/toy.source.yaml"
    chapter.differences()
    assert "No setting of this run is known to differ" in shown[-1][0]["text/html"]
    source.write_text(
        "files: {code: train.py at 1a2b}\n"
        "parameters:\n"
        "  seed: {paper: 0, where: code:1}\n"
        "  n_seeds: {paper: 1, where: code:2, why: one <network> is no sample}\n"
        "  device: {where: not public, why: the usual one}\n"
    )
    chapter.differences()
    soup = BeautifulSoup(shown[-1][0]["text/html"], "html.parser")
    rows = [
        [cell.get_text("|") for cell in row.select("th, td")] for row in soup.select("tbody tr")
    ]
    assert rows == [
        ["n_seeds|members trained per condition", "1|code:2", "3", "one <network> is no sample"],
        [
            "device|where to compute; auto takes CUDA if there is one",
            "not public",
            "cpu",
            "the usual one",
        ],
    ]
    assert soup.select("details dd")[0].text == "train.py at 1a2b"
    assert "n_seeds: 1 (paper), 3 (here)" in shown[-1][0]["text/plain"]


def test_the_answer_is_computed(shown: list[Any]) -> None:
    chapter = Chapter("toy", CONFIG)
    chapter.card("It rises by {by:.1f}.", by=DATA.a.mean())
    assert shown == [
        (
            {
                "text/markdown": "> **Answer.** It rises by 2.0.",
                "text/plain": "> **Answer.** It rises by 2.0.",
            },
            {"answer": "It rises by 2.0."},
        )
    ]
