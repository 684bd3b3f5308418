"""Results that come with the book are found by name, parameters and seeds."""

from pathlib import Path

import pytest
import xarray as xr
from counting import Load, config

from synthcore.stages.shipped import NotShipped
from synthcore.stages.store import About, write_result


@pytest.fixture
def shipped(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stage `run` of 8 seeds with 5 steps, shipped; its values are the seeds."""
    monkeypatch.setenv("SYNTHCORE_ROOT", str(tmp_path))
    monkeypatch.setenv("SYNTHCORE_SCALE", "reference")
    path = tmp_path / "book" / "reference" / "counting" / "run.nc"
    data = xr.Dataset({"x": ("seed", [float(s) for s in range(8)])}, {"seed": list(range(8))})
    code = {"counting.py": "other code"}
    parameters = {"steps": 5, "rate": 0.5}
    about = About(
        "counting",
        "run",
        parameters,
        tuple(range(8)),
        "1",
        code,
        "cpu",
        9.0,
        "2026-01-01T00:00:00Z",
    )
    write_result(path, data, about)
    return path


def test_shipped_results_are_found_by_parameters_and_seeds(load: Load, shipped: Path) -> None:
    module = load()
    found = module.run.obtain(config(module))
    assert found.source == "shipped"
    assert found.data.x.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert "counting.py" in found.changed
    assert found.about.cpu_seconds == 9.0
    assert module.calls == []
    for changed in ({"steps": 6}, {"n_seeds": 9}):
        assert module.run.obtain(config(module, **changed)).source == "computed"


def test_shipped_results_are_used_at_reference_only_unless_told(
    load: Load, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load()
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "ignore")
    assert module.run.obtain(config(module)).source == "computed"
    monkeypatch.delenv("SYNTHCORE_SHIPPED")
    monkeypatch.setenv("SYNTHCORE_SCALE", "check")
    assert module.run.obtain(config(module)).source == "kept"
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "only")
    assert module.run.obtain(config(module)).source == "shipped"
    with pytest.raises(NotShipped, match=r"run of counting is not shipped: .* of another steps"):
        module.run(config(module, steps=6))
    with pytest.raises(NotShipped, match=r"seeds 0 to 7"):
        module.run(config(module, n_seeds=9))
    with pytest.raises(NotShipped, match=r"mean\.nc is not there"):
        module.mean(config(module))
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "perhaps")
    with pytest.raises(ValueError, match="must be use, only or ignore"):
        module.run(config(module))


def test_a_damaged_shipped_result_is_named_and_not_used(
    load: Load,
    shipped: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = load()
    shipped.write_bytes(shipped.read_bytes()[:-1])
    assert module.run.obtain(config(module)).source == "computed"
    assert f"{shipped} is damaged" in capsys.readouterr().err
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "only")
    with pytest.raises(NotShipped, match="damaged"):
        module.run(config(module))
