"""The forking-paths experiment: parameters, determinism, stages, claims and their nulls."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import ClaimsContract, ExperimentContract, smoke

from synthcore.evidence.first_edition import Word
from synthcore.explorers.forking import ForkingExplorer
from synthcore.studies.forking_paths import adaptive, counting, decisions, examples, noise
from synthcore.studies.forking_paths.claims import CLAIMS
from synthcore.studies.forking_paths.ensemble import Ensemble
from synthcore.studies.forking_paths.experiment import Config
from synthcore.studies.forking_paths.task import Recipe

TINY = smoke("forking_paths")


def test_units(tiny: xr.Dataset) -> None:
    assert tiny.cost.attrs["units"] == "sampled tokens"


def test_stages_measure_what_they_say(tiny: xr.Dataset) -> None:
    for name in ("recall", "precision", "still", "change_hit", "hazard_hit", "alarm", "complete"):
        values = tiny[name].values
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()
    assert (tiny.identity < 1e-12).all()
    assert (tiny.spurious <= tiny.detections).all()
    real = tiny.excess.sel(backend=["ForkWorld", "HTTP, legacy", "HTTP, content", "recorded run"])
    assert float(real.max("backend").max()) == float(real.min("backend").max())  # same answers
    assert bool((tiny.uniform_tokens.diff("spent") > 0).all())
    assert bool((tiny.adaptive_tokens.diff("round") > 0).all())


def test_adaptive_rounds_use_the_samples_there_are() -> None:
    ensemble = Ensemble.draw(0, 0, 5, Recipe())
    outcomes = ensemble.sample(20, 0)
    rounds = list(adaptive.adaptive_rounds(ensemble, outcomes, 0.05))
    for paths, used in rounds:
        shown = paths.p > 0
        assert torch.equal(paths.samples[shown].long(), used[..., None].expand_as(shown)[shown])
    first, last = rounds[0][1], rounds[-1][1]
    assert (first == adaptive.FIRST).all()
    assert int(last.max()) <= 20
    assert ((last - first) % adaptive.STEP == 0).all()
    n, t = divmod(int(last.argmax()), 60)  # the most sampled position was sampled in its order
    paths = rounds[-1][0]
    expected = torch.bincount(outcomes[n, t, 0, : int(last[n, t])].long(), minlength=4)
    assert paths.counts[n, t, 0].long().tolist() == expected.tolist()


def test_least_squares_partition_counts_clear_steps() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 0.05, (2, 60))
    y[0, 30:] += 0.5
    y[1, 20:] += 0.5
    y[1, 40:] -= 0.4
    assert counting.least_squares(torch.from_numpy(y)).sum(1).tolist() == [1, 2]
    p_m = torch.tensor([[0.05, 0.9, 0.05], [0.2, 0.7, 0.1]])
    assert counting.conservative(p_m).tolist() == [1, 0]


def test_survival_ends_higher_when_only_noise_is_left(tiny: xr.Dataset) -> None:
    quiet, forked = tiny.sel(text="no fork"), tiny.sel(text="one to three forks")
    assert (quiet.survival_exact == 1).all()
    assert (forked.survival_exact.sel(eps=0.3, method="nearest") < 1).all()
    for name in ("survival_exact", "survival", "survival_shuffled"):
        assert (tiny[name].diff("eps") >= -1e-6).all()  # a larger distance is rarer
    assert float(quiet.survival.isel(samples=-1).mean()) > float(
        quiet.survival.isel(samples=0).mean()
    )


def test_each_source_of_error_is_measured_alone(tiny: xr.Dataset) -> None:
    error = tiny.error.mean("seed")
    assert float(error.sel(source="2% unfinished")) == pytest.approx(noise.UNFINISHED, abs=1e-6)
    assert float(error.sel(source="2% misread")) <= noise.MISREAD
    assert (
        float(error.sel(source="threshold 0.05")) <= float(error.sel(source="threshold 0.1")) + 1e-9
    )
    assert float(error.sel(source="all")) > float(error.sel(source="2% unfinished"))


def test_the_explorer_takes_what_the_chapter_has() -> None:
    arguments = examples.explorer_worlds(Config(**TINY))
    assert ForkingExplorer(**arguments).data_bytes < 200_000
    wrong = {
        "p": (np.ones((4, 2, 3, 3)), "p must be distributions"),
        "to": (arguments["to"] + 100, "to must hold integers below"),
        "ends": (arguments["ends"] * 2, "ends must be distributions"),
        "titles": (("one",), "titles must name 4 texts"),
        "samples": (301, "samples must be between 1 and 300"),
        "names": (("A",), "2 to 6 names"),
    }
    for name, (value, sentence) in wrong.items():
        with pytest.raises(ValueError, match=sentence):
            ForkingExplorer(**{**arguments, name: value})


class TestExperiment(ExperimentContract):
    refused = (
        ({"headline": 7}, "headline must be one of samples"),
        ({"samples": [10, 5], "headline": 10}, "samples must rise"),
        ({"spent": [5, 5]}, "spent must rise"),
        ({"lengths": [30]}, "do not fit a text of 30 tokens"),
        ({"p_thresh": 0.7}, "p_thresh must be"),
        ({"worlds": 1}, "worlds must be"),
    )


# --- decisions --------------------------------------------------------------------------------


def test_the_lowest_of_groups_needs_a_clear_interval() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.random(40) < 0.1, rng.random(40) < 0.8
    clear = decisions.resampled({"a": low * 1.0, "b": high * 1.0}, "a", lowest="a")
    assert clear.verdict is Word.REPRODUCED
    close = decisions.resampled({"a": low * 1.0, "b": low[::-1] * 1.0}, "a", lowest="a")
    assert close.verdict is Word.NOT
    turned = decisions.resampled({"a": low * 1.0, "b": high * 1.0}, "b", highest="b")
    assert turned.verdict is Word.REPRODUCED
    assert decisions.resampled({"a": low * 1.0, "b": high * 1.0}, "a", highest="a").observed < 0


def spread(data: xr.Dataset, name: str, value: Any) -> None:
    """Set a variable, with a little difference between seeds."""
    noise = xr.DataArray(np.linspace(-0.004, 0.004, data.sizes["seed"]), dims="seed")
    noise = noise.assign_coords(seed=data.seed)
    data[name] = (value + noise + 0 * data[name].fillna(0)).transpose(*data[name].dims)


@pytest.fixture(scope="module")
def invented(tiny: xr.Dataset) -> xr.Dataset:
    """A run in which everything that is claimed holds, in every one of six seeds."""
    data = tiny.isel(seed=[0] * 6).assign_coords(seed=range(6)).copy(deep=True)
    for name, value in {
        "recall": 0.97, "precision": 0.95, "spurious": 0.1, "still": 0.98, "surface_recall": 0.97,
        "recall_unordered": 0.3, "precision_unordered": 0.2, "spurious_unordered": 2.0,
        "excess": 0.95, "learned_excess": 1.0, "alarm": 0.005,
    }.items():  # fmt: skip
        spread(data, name, value)
    data["learned_complete"] = xr.ones_like(data.learned_complete)
    data["excess"] = data.excess.where(~data.backend.str.contains("control"), 3.0)
    levels = {"rare": 0.3, "uneven": 0.8, "even": 0.97, "hidden": 0.02}
    rates = xr.DataArray(list(levels.values()), dims="fork", coords={"fork": list(levels)})
    spread(data, "change_hit", rates)
    spread(data, "hazard_hit", xr.where(rates.fork == "hidden", 0.01, 0.9))
    data["noise"] = (0.6 * data.draws**-0.49 + 0 * data.noise).transpose(*data.noise.dims)
    data["noise_expected"] = data.noise * 1.02
    spread(data, "counted", data.true_forks)
    law = data.length**2 * data.branches * data.attrs["headline"] / 2
    data["cost"] = (law * 0.98).transpose(*data.cost.dims)
    rng = np.random.default_rng(0)
    tasks = ["AQuA", "CoinFlip", "GSM8k", "HotpotQA", "LastLetter", "MMLU", "StoryCloze"]
    shares = dict(zip(tasks, (0.8, 0.05, 0.8, 0.8, 1.0, 0.8, 0.8), strict=True))
    name = np.repeat(tasks, 60)
    alarm = (rng.random(420) < np.array([shares[task] for task in name])).astype(float)
    stay = np.array([{"CoinFlip": 1.0, "LastLetter": 0.2}.get(task, 0.6) for task in name])
    stay = stay + rng.normal(0, 0.05, 420)
    three = ("released_detector", ["exact DM", "BEAST-like", "Rbeast"])
    marks = np.stack([np.zeros(420), rng.random(420) < 0.1, np.zeros(420), np.ones(420)], 1)
    return data.assign(
        released_task=("question", name),
        released_alarm=(("question", "released_detector"), np.stack([alarm] * 3, 1)),
        released_m=(("question", "released_detector"), rng.poisson(1.5, (420, 3)).astype(float)),
        released_end=("question", np.where(rng.random(420) < 0.95, 0.97, 0.6)),
        released_survival=(
            ("question", "control", "eps"),
            np.stack([stay, np.ones(420)], 1)[..., None] + np.zeros(tiny.sizes["eps"]),
        ),
        released_after=(("question", "token_class"), marks),
        released_i1_close=("question", np.full(420, 99.5)),
        released_i1_positions=("question", np.full(420, 100.0)),
        released_tokens=("question", rng.normal(0.87e6, 1e5, 420)),
        released_branches=("question", np.full(420, 270.0)),
    ).assign_coords(
        released_detector=list(three[1]),
        control=["observed", "shuffled"],
        token_class=["white space", "punctuation", "number", "word"],
    )


class TestClaims(ClaimsContract):
    claims = CLAIMS
