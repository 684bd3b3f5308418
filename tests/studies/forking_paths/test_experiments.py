"""The experiments: parameters, seeds, what each stage measures, and what a member is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from contracts import smoke
from frames import frames_to_product

from synthcore.completions.cache import Cached
from synthcore.completions.client import HTTPBackend
from synthcore.completions.loopback import serving
from synthcore.completions.protocol import Completion, Request
from synthcore.config import ParameterError
from synthcore.explorers.forking import ForkingExplorer
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments import (
    backends,
    detection,
    language_model,
    sampling,
)
from synthcore.studies.forking_paths.figures import texts
from synthcore.studies.forking_paths.task.ensemble import Ensemble
from synthcore.studies.forking_paths.task.world import Recipe
from synthcore.training.progress import Progress


def config(**changed: Any) -> Config:
    """The smoke parameters with changes."""
    return Config(**smoke("forking_paths", **changed))


def test_every_number_has_a_unit() -> None:
    stages = (detection.run, detection.planted, sampling.noise, backends.run)
    for data in (stage(config()) for stage in stages):
        without = [n for n, variable in data.variables.items() if "units" not in variable.attrs]
        assert without == []


def test_both_truths_are_scored_and_an_oracle_is_perfect() -> None:
    data = detection.run(config(worlds=20))
    perfect = data.sel(detector="oracle")
    assert (perfect.precision_specified.fillna(1) == 1).all()
    assert (perfect.recall_specified.fillna(1) == 1).all()
    assert (data.precision.fillna(1) >= data.precision_specified.fillna(0) - 1e-9).all()
    assert (data.spurious <= data.detections).all()


def test_backends_count_the_same_and_the_forgetful_one_does_not() -> None:
    data = backends.run(config())
    real = data.sel(backend=[b for b in backends.BACKENDS if b != backends.FORGETFUL])
    assert (real.off_direct == 0).all()
    assert (data.off_direct.sel(backend=backends.FORGETFUL) > 0).all()


def test_a_member_learns_the_same_beside_others() -> None:
    """What the network of seed 1 says, trained with and without one of seed 0. Weights are not
    compared: biases of keys change nothing, and Adam magnifies the rounding that is their gradient.
    """
    tokens = torch.arange(20)[None]
    said = []
    for settings in (config(n_seeds=2), config(seed=1, n_seeds=1)):
        model, _ = backends.train(settings, Progress())
        with torch.no_grad():
            said.append(model(tokens.expand(settings.n_seeds, 1, -1))[-1].softmax(-1))
    torch.testing.assert_close(*said, atol=1e-4, rtol=0)


def test_the_network_is_eight_frames_from_the_experiment() -> None:
    one = config(n_seeds=1)
    frames = frames_to_product(lambda: backends.networks.function(one, Progress()), learning=True)
    assert len(frames) <= 8, frames


def test_adaptive_rounds_use_the_samples_there_are() -> None:
    ensemble = Ensemble.draw(0, 0, 5, Recipe())
    outcomes = ensemble.sample(20, 0)
    rounds = list(sampling.adaptive_rounds(ensemble, outcomes, 0.05))
    for paths, used in rounds:
        shown = paths.p > 0
        assert torch.equal(paths.samples[shown].long(), used[..., None].expand_as(shown)[shown])
    first, last = rounds[0][1], rounds[-1][1]
    assert (first == sampling.FIRST).all()
    assert int(last.max()) <= 20
    assert len(rounds) == 4
    n, t = divmod(int(last.argmax()), 60)  # the most sampled position was sampled in its order
    expected = torch.bincount(outcomes[n, t, 0, : int(last[n, t])].long(), minlength=4)
    assert rounds[-1][0].counts[n, t, 0].long().tolist() == expected.tolist()


def test_least_squares_partition_counts_clear_steps() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 0.05, (2, 60))
    y[0, 30:] += 0.5
    y[1, 20:] += 0.5
    y[1, 40:] -= 0.4
    assert detection.least_squares(torch.from_numpy(y)).sum(1).tolist() == [1, 2]


def test_survival_ends_higher_when_only_noise_is_left() -> None:
    data = sampling.lasting(config(noise_worlds=6))
    quiet, forked = data.sel(text="no fork"), data.sel(text="one to three forks")
    assert (quiet.survival_exact == 1).all()
    assert (forked.survival_exact.sel(eps=0.3, method="nearest") < 1).all()
    for values in (data.survival_exact, data.survival, data.survival_by_noise):
        assert (values.diff("eps") >= -1e-6).all()  # a larger distance is rarer
    at = forked.isel(samples=-1).sel(eps=0.6, method="nearest").mean("seed")
    assert float(at.survival) < float(at.survival_by_noise)


def test_each_cause_of_error_is_measured_alone() -> None:
    error = sampling.noise(config()).error.mean("seed")
    assert float(error.sel(cause="2% unfinished")) == pytest.approx(sampling.UNFINISHED, abs=1e-6)
    assert float(error.sel(cause="2% misread")) <= sampling.MISREAD
    assert float(error.sel(cause="all")) > float(error.sel(cause="2% unfinished"))


class Reciting:
    """Answers in form, with an answer that depends on the second token of what was written."""

    name = "reciting"

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        for index, request in enumerate(requests):
            yield index, [self._answer(request, i) for i in range(request.n)]

    def _answer(self, request: Request, number: int) -> Completion:
        written = request.text.rpartition("A:")[2]
        words = [" It", " is", " clear", ",", " so", " the", " answer", " is", " no", "."]
        tokens = words[len(written.split(" ")) - 1 + written.count(",") :] if written else words
        if "maybe" in written and (request.seed + number) % 2:
            tokens = [token.replace("no", "yes") for token in tokens]
        likely = {" clear": {" clear": 0.6, " maybe": 0.4}}
        top = [likely.get(token, {token: 1.0}) for token in tokens]
        if request.temperature == 0:
            return Completion("".join(tokens), "stop", tuple(tokens), tuple(top))
        return Completion("".join(tokens))


def test_a_language_model_is_analysed_over_http_kept_and_gone_on_with(tmp_path: Path) -> None:
    """A model of ours in place of the small one: the same questions, by way of a server."""
    asked = config(questions=1, question_samples=10, question_start=10)
    kept = tmp_path / "answers.jsonl"
    with serving(Reciting(), "legacy") as url:
        backend = Cached(HTTPBackend(url, "reciting", name="reciting"), kept)
        data = language_model.analyse(backend, asked, Progress())
    assert sorted(data.task.values) == sorted(language_model.TASKS)
    assert data.attrs == {"left_out": 0, "model": "reciting"}
    assert (data.completions == 10 * data.branches).all()
    assert float(data.p_m.sum("m").min()) == pytest.approx(1)
    again = language_model.analyse(Cached(Reciting(), kept), asked, Progress())
    xr.testing.assert_identical(data, again)


def test_without_questions_no_model_is_asked() -> None:
    assert language_model.run(config()).sizes["question"] == 0


def test_the_explorer_takes_what_the_chapter_has() -> None:
    explorer = texts.explorer(config())
    assert isinstance(explorer, ForkingExplorer)
    assert explorer.data_bytes < 200_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"headline": 7}, "headline must be one of samples"),
        ({"samples": [10, 5], "headline": 10}, "samples must rise"),
        ({"spent": [5, 5]}, "spent must rise"),
        ({"lengths": [30]}, "do not fit a text of 30 tokens"),
        ({"p_thresh": 0.7}, "p_thresh must be"),
        ({"worlds": 1}, "worlds must be"),
        ({"logprobs": 0}, "logprobs must be"),
    ],
)
def test_bad_parameters_are_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        config(**change)
    assert "\n" not in str(caught.value)
