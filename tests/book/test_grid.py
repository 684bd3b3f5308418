"""What a sweep varies: grids from the command line and from files, and which are refused."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcore.press.sweep import Grid, read_axis


@given(
    crossed=st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(), min_size=1), max_size=3
    ),
    zipped=st.integers(1, 4).flatmap(
        lambda n: st.dictionaries(
            st.sampled_from("xyz"), st.lists(st.integers(), min_size=n, max_size=n), max_size=3
        )
    ),
)
def test_a_grid_has_every_combination(
    crossed: dict[str, list[int]], zipped: dict[str, list[int]]
) -> None:
    points = Grid(crossed, zipped).points()
    rows = len(next(iter(zipped.values()))) if zipped else 1
    assert len(points) == math.prod(map(len, crossed.values())) * rows
    for point in points:
        assert set(point) == {*crossed, *zipped}
        assert all(point[name] in values for name, values in crossed.items())
        together = {name: point[name] for name in zipped}
        assert not zipped or together in [
            {name: values[row] for name, values in zipped.items()} for row in range(rows)
        ]


def test_axes_are_read_as_yaml() -> None:
    assert read_axis("rate=1e-3,0.5") == ("rate", [0.001, 0.5])
    assert read_axis("sizes=[4],[4, 16]") == ("sizes", [[4], [4, 16]])
    assert read_axis("mode=fine,off") == ("mode", ["fine", "off"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-g", "rat=1"], "Unknown parameter 'rat'. Did you mean 'rate'?"),
        (["-g", "rate=0.1,-1"], "rate must be a number, more than 0 (got -1)."),
        (["-g", "rate"], "'rate' is not NAME=V1,V2,..."),
        (["-g", "rate="], "'rate' is swept over no value"),
        (["-g", "rate=1", "-p", "rate", "2"], "'rate' is both given and swept"),
        (["-g", "rate=1", "-z", "rate=2"], "'rate' is swept twice"),
        (["-z", "rate=1,2", "-z", "steps=1"], "as many values each (rate 2, steps 1)"),
        (["-g", "seed=0,5", "--seeds", "2"], "not both"),
        (["-g", "steps=1", "-g", "steps=2"], "'steps' is swept twice: give all its values at once"),
        (["-g", "steps=007,7"], "Two runs of the sweep are the same: steps=7 and steps=7."),
        (["-g", "rate=1,1.0"], "Two runs of the sweep are the same: rate=1 and rate=1.0."),
        (["-g", "device=cpu,auto"], "the same: device=auto and device=cpu."),
        (["-g", "seed=0,1"], "those of seed 0 and of seed 1 have 3 each (n_seeds). Use --seeds"),
        (["-g", "seed=000,010,12"], "would share seeds: those of seed 10 and of seed 12"),
        (["--sweep-file", "wrong.yaml"], "may hold grid, zip, seeds and parameters, not 'gird'"),
        (["--sweep-file", "seeds-none.yaml"], "seeds must be a whole number (got None)."),
        (["--sweep-file", "seeds-text.yaml"], "seeds must be a whole number (got '3')."),
        (["--sweep-file", "seeds-half.yaml"], "seeds must be a whole number (got 2.5)."),
        (["--sweep-file", "seeds-true.yaml"], "seeds must be a whole number (got True)."),
        (["--sweep-file", "list.yaml"], "list.yaml: 'grid' must be a mapping of parameter names"),
        (["--sweep-file", "fixed.yaml"], "fixed.yaml: 'parameters' must be a mapping of parameter"),
        (["--sweep-file", "number.yaml"], "number.yaml: 'grid' must be a mapping of parameter nam"),
        (["--sweep-file", "scalar.yaml"], "scalar.yaml: 'steps' needs a list of values."),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "not both"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    refusing: "Project", capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    from synthcore.press.cli import main

    before = sorted(refusing.root.rglob("*"))
    with contextlib.chdir(refusing.root), pytest.raises(SystemExit) as leaving:
        main(["sweep", "toy", "--out", "many", *arguments])
    assert leaving.value.code == 2
    out, err = capsys.readouterr()
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert sorted(refusing.root.rglob("*")) == before
