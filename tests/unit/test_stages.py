"""A stage is computed once: found again by what it reads, and never when that has changed."""

import json
from pathlib import Path

import pytest
import torch
import xarray as xr
from counting import SOURCE, Load, config

from synthcore.config import UndeclaredParameter
from synthcore.stages import store
from synthcore.stages.stage import StageError, blocks
from synthcore.stages.store import DamagedResult, read_result
from synthcore.training.rehearsal import Rehearsal


def test_blocks_hold_seeds_that_follow_one_another() -> None:
    assert list(blocks(range(9))) == [(0, 1, 2, 3), (4, 5, 6, 7), (8,)]
    assert list(blocks([2, 5, 6])) == [(2,), (5, 6)]
    assert list(blocks([])) == []


def test_a_second_run_computes_nothing_and_gives_the_same(load: Load) -> None:
    first = load()
    data = first.run(config(first))
    assert first.calls == [("run", (0, 1, 2, 3)), ("run", (4, 5))]
    assert data.seed.values.tolist() == list(range(6))
    for seed in range(6):
        expected = 0.5 * first.draw(seed, 5)
        assert data.x.sel(seed=seed).values.tolist() == expected.tolist()
    second = load()
    again = second.run(config(second, colour="blue", device="cpu"))
    assert second.calls == []
    xr.testing.assert_identical(again, data)
    assert {name: v.dtype for name, v in again.items()} == {n: v.dtype for n, v in data.items()}


@pytest.mark.parametrize("changed", [{"steps": 6}, {"rate": 0.25}])
def test_a_parameter_that_is_read_counts(load: Load, changed: dict[str, object]) -> None:
    module = load()
    module.run(config(module))
    module.calls.clear()
    module.run(config(module, **changed))
    assert len(module.calls) == 2


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('"""Numbers of a seed."""', '"""Normal numbers of a seed."""  # of unit variance', False),
        ('description="how large"', 'description="factor on every number"', False),
        ("normal(size=steps)", "uniform(size=steps)", True),
        ("ge=1", "ge=2", True),
    ],
)
def test_code_counts_and_prose_does_not(load: Load, old: str, new: str, counts: bool) -> None:
    before = load()
    before.run(config(before))
    after = load(old, new)
    after.run(config(after))
    assert bool(after.calls) is counts


def test_adding_seeds_computes_only_those_missing(load: Load) -> None:
    module = load()
    module.run(config(module, n_seeds=4))
    more = module.run(config(module, n_seeds=10))
    assert module.calls == [("run", (0, 1, 2, 3)), ("run", (4, 5, 6, 7)), ("run", (8, 9))]
    module.calls.clear()
    some = module.run(config(module, seed=3, n_seeds=3))
    xr.testing.assert_identical(some, more.sel(seed=[3, 4, 5]))
    assert module.calls == []


def test_a_stage_can_have_a_number_of_seeds_of_its_own(load: Load) -> None:
    module = load("@stage(reads=(", '@stage(seeds="steps", reads=(')
    data = module.run(config(module, n_seeds=1, steps=5))
    assert data.seed.values.tolist() == [0, 1, 2, 3, 4]
    assert module.calls == [("run", (0, 1, 2, 3)), ("run", (4,))]


def test_a_stage_of_all_seeds_calls_the_one_of_each(load: Load) -> None:
    module = load()
    data = module.mean(config(module))
    assert module.calls == [("mean", tuple(range(6))), ("run", (0, 1, 2, 3)), ("run", (4, 5))]
    assert float(data["mean"]) == pytest.approx(float(module.run(config(module)).x.mean()))
    module.calls.clear()
    module.mean(config(module))
    assert module.calls == []
    module.mean(config(module, n_seeds=5))
    assert module.calls == [("mean", tuple(range(5)))]


def test_a_parameter_that_is_not_named_is_refused(load: Load, cache: Path) -> None:
    module = load()
    with pytest.raises(UndeclaredParameter, match=r"counting\.careless|careless.*'rate'"):
        module.careless(config(module))
    with pytest.raises(UndeclaredParameter, match=r"narrow .*'rate'"):
        module.narrow(config(module))
    with pytest.raises(StageError, match=r"reads 'stebs'.*Did you mean 'steps'"):
        module.misspelt(config(module))
    with pytest.raises(StageError, match=r"must return a dataset with a dimension seed"):
        module.seedless(config(module))
    assert not list(cache.rglob("*.nc"))


def test_what_a_stage_sees_is_a_config_without_the_rest(load: Load) -> None:
    whole = config(load())
    seen = whole.only(("steps",), (2, 3), "training.run")
    assert (seen.seeds, seen.steps, seen.torch_device.type) == ((2, 3), 5, whole.torch_device.type)
    assert seen.model_dump() == {"seed": 2, "n_seeds": 2, "device": "auto", "steps": 5}
    changed = seen.model_copy(update={"steps": 6})
    for one in (seen, changed):
        with pytest.raises(UndeclaredParameter, match=r"training\.run reads the parameter 'rate'"):
            _ = one.rate
        with pytest.raises(UndeclaredParameter):  # not even asked whether it is there
            hasattr(one, "rate")
        assert not hasattr(one, "nothing")
    assert whole.rate == 0.5


@pytest.mark.parametrize("fault", ["cut", "flipped", "no data", "no about", "edited about"])
def test_a_damaged_entry_is_named_and_made_anew(
    load: Load, cache: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load()
    data = module.run(config(module, n_seeds=4))
    (path,) = cache.rglob("*.nc")
    about, content = path.with_suffix(".json"), bytearray(path.read_bytes())
    if fault == "cut":
        path.write_bytes(content[:-20])
    elif fault == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif fault == "no data":
        path.unlink()
    elif fault == "no about":
        about.unlink()
    else:
        about.write_text(about.read_text().replace('"cpu_seconds": ', '"cpu_seconds": 1'))
    with pytest.raises(DamagedResult, match=path.stem):
        read_result(path)
    xr.testing.assert_identical(module.run(config(module, n_seeds=4)), data)
    assert len(module.calls) == 2
    said = capsys.readouterr().err
    assert path.stem in said
    assert "computed anew" in said
    xr.testing.assert_identical(read_result(path).data, data)


def test_a_folder_that_cannot_be_written_is_one_sentence(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SYNTHCORE_CACHE", str(tmp_path / "file" / "cache"))
    module = load()
    data = module.run(config(module))
    assert data.x.shape == (6, 5)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"Results are not kept: {tmp_path / 'file' / 'cache'} cannot be written")


def test_another_torch_is_another_result(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load()
    module.run(config(module))
    monkeypatch.setattr(torch, "__version__", "1.0.0")
    module.run(config(module))
    assert len(module.calls) == 4


def test_fresh_ignores_what_others_kept_and_keeps(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load()
    module.run(config(module))
    monkeypatch.setattr(store, "_made", set())  # as another process
    monkeypatch.setenv("SYNTHCORE_FRESH", "1")
    module.calls.clear()
    module.mean(config(module))
    module.run(config(module))
    assert [name for name, _ in module.calls] == ["mean", "run", "run"]
    monkeypatch.delenv("SYNTHCORE_FRESH")
    module.calls.clear()
    module.run(config(module))
    assert module.calls == []


def test_code_edited_under_a_running_python_keeps_nothing(
    load: Load, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load()
    data = module.run(config(module))
    there = set(cache.rglob("*.nc"))
    edited = SOURCE.replace("normal(size=steps)", "uniform(size=steps)")
    (tmp_path / "counting.py").write_text(edited)
    xr.testing.assert_identical(module.run(config(module)), data)  # what is loaded, computed
    assert len(module.calls) == 4
    assert set(cache.rglob("*.nc")) == there
    assert "until it is started again" in capsys.readouterr().err


def test_a_rehearsal_finds_nothing_and_keeps_nothing(load: Load, cache: Path) -> None:
    module = load()
    module.run(config(module))
    before = sorted(cache.rglob("*"))
    module.run(config(module), Rehearsal(1))
    assert len(module.calls) == 4
    assert sorted(cache.rglob("*")) == before


def test_an_entry_says_what_it_is(load: Load, cache: Path) -> None:
    module = load()
    module.run(config(module, n_seeds=1))
    (path,) = cache.rglob("seeds-0-0.json")
    about = json.loads(path.read_text())
    assert about["parameters"] == {"steps": 5, "rate": 0.5}
    assert (about["study"], about["stage"], about["seeds"]) == ("counting", "run", [0])
    assert about["torch"] == torch.__version__
    assert {"counting.py", "synthcore/training/schedules.py"} <= set(about["code"])
    rooms = {name.split("/")[1] for name in about["code"] if "/" in name}
    assert not rooms & {"stages", "evidence", "config.py"}
