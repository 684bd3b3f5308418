"""Parameters from cell, files and command line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from synthcore.config import ParameterError, StudyConfig, describe
from synthcore.press import parameters as module
from synthcore.press.errors import Refused
from synthcore.press.parameters import cell_defaults, read_yaml, run_parameters
from synthcore.press.studies import Study


class Config(StudyConfig):
    """All kinds of fields."""

    steps: int = Field(ge=1, le=100, description="how long")
    sizes: tuple[int, ...] = Field(min_length=1, max_length=3, description="how many")
    rate: float = Field(gt=0, lt=1, description="how fast")
    name: str = Field(description="how called")


class Limited(Config):
    """One more."""

    limit: float = Field(description="how far")


GOOD = {"seed": 0, "n_seeds": 3, "steps": 5, "sizes": [1, 2], "rate": 0.5, "name": "a"}
CELL = 'seed = 0\nn_seeds = 3\nsteps = 5\nsizes = [1, 2]\nrate = 0.5  # slow\nname: str = "a"\n'


def study(root: Path, cell: str = CELL, smoke: str = "steps: 2\n") -> Study:
    (root / "notebooks/params/smoke").mkdir(parents=True)
    (root / "notebooks/x.py").write_text(f'# %% tags=["parameters"]\n{cell}\n# %%\nprint(1)\n')
    (root / "notebooks/params/smoke/x.yaml").write_text(smoke)
    return Study(root, "x")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 0}, "steps must be an integer, 1 to 100 (got 0)."),
        ({"steps": "5"}, "steps must be an integer, 1 to 100 (got '5')."),
        ({"steps": True}, "steps must be an integer, 1 to 100 (got True)."),
        ({"rate": 1.0}, "rate must be a number, more than 0 and less than 1 (got 1.0)."),
        ({"sizes": []}, "sizes must be a list of integers, 1 to 3 entries (got ())."),
        ({"sizes": [1, "b"]}, "sizes must be a list of integers, 1 to 3 entries (got 'b')."),
        ({"name": 3}, "name must be text (got 3)."),
        ({"device": "gpu"}, "device must be one of auto, cpu, cuda (got 'gpu')."),
        ({"step": 3}, "Unknown parameter 'step'. Did you mean 'steps'?"),
        (
            {"zzzz": 3},
            "Unknown parameter 'zzzz'. Valid: device, n_seeds, name, rate, seed, sizes, steps.",
        ),
    ],
)
def test_one_sentence_per_fault(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Config(**{**GOOD, **changes})
    assert str(caught.value) == told


def test_missing_is_named() -> None:
    with pytest.raises(ParameterError, match="Parameter 'steps' is missing: steps must be"):
        Config(**{name: value for name, value in GOOD.items() if name != "steps"})


def test_a_config_is_read_from_a_cell_and_frozen() -> None:
    config = Config.from_cell({**GOOD, "np": object()})
    assert config.sizes == (1, 2)
    assert config.seeds == (0, 1, 2)
    assert hash(config) == hash(Config(**GOOD))
    with pytest.raises(ValueError, match="frozen"):
        config.steps = 3  # type: ignore[misc]
    assert describe(Config)["sizes"] == {
        "type": "a list of integers",
        "range": "1 to 3 entries",
        "description": "how many",
    }


def test_defaults_are_read_without_running_the_cell(tmp_path: Path) -> None:
    assert cell_defaults(study(tmp_path)) == GOOD


@pytest.mark.parametrize("cell", ["a = 1 + b", "a = f()", "import os", "a, b = 1, 2", "a += 1"])
def test_the_cell_holds_literals_only(tmp_path: Path, cell: str) -> None:
    with pytest.raises(Refused, match=r"notebooks/x\.py: .*literal"):
        cell_defaults(study(tmp_path, cell))


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_config", lambda _: Config)
    file = tmp_path / "f.yaml"
    file.write_text("rate: 1e-1\nname: off\n")
    found = run_parameters(study(tmp_path), "smoke", [file], [("name", "b"), ("sizes", "[3]")])
    assert found.all == {**GOOD, "steps": 2, "rate": 0.1, "name": "b", "sizes": [3]}
    assert found.injected == {"steps": 2, "rate": 0.1, "name": "b", "sizes": [3]}
    assert found.overridden == ("name", "rate", "sizes")
    assert len(found.suffix) == 8


def test_the_device_and_equal_values_do_not_override(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_config", lambda _: Config)
    found = run_parameters(study(tmp_path), "smoke", [], [("steps", "2")], device="cpu")
    assert (found.overridden, found.suffix) == ((), "")
    assert found.injected == {"steps": 2, "device": "cpu"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("007", 7),
        ("08", 8),
        ("-010", -10),
        ("010.5", 10.5),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
    ],
)
def test_scalars_are_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "f.yaml").write_text(f"a: {text}\n")
    found = read_yaml(tmp_path / "f.yaml")["a"]
    assert (found, type(found)) == (value, type(value))


def test_an_equal_number_of_another_type_is_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study(tmp_path, smoke="limit: 2.0\n", cell=CELL + "limit = 1.0\n")
    monkeypatch.setattr(module, "load_config", lambda _: Limited)
    found = run_parameters(one, "smoke", [], [("limit", "2"), ("n_seeds", "03")])
    assert (found.overridden, repr(found.all["limit"])) == ((), "2.0")
    with pytest.raises(Refused, match="n_seeds must be an integer"):
        run_parameters(one, "smoke", [], [("n_seeds", "3.0")])


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_what_python_prints_is_read_back(value: float) -> None:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    assert module.read_value("a", text) == value
