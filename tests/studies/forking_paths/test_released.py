"""The paper's own counts: refusals everywhere, and the whole analysis where their file is."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from contracts import smoke

from synthcore.changepoints import conservative, dirichlet_multinomial, posterior
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments import released
from synthcore.studies.forking_paths.measure.analysis import AnalysisError
from synthcore.studies.forking_paths.measure.paths import Paths, survival, survival_by_noise
from synthcore.training.progress import Progress

ROOT = Path(__file__).parents[3]
NAME = Path("shared") / "data" / "forking_paths_counts.npz"
PLACES = [ROOT / NAME, ROOT.parent / NAME]
if named := os.environ.get(released.VARIABLE):
    PLACES.insert(0, Path(named))
FILE = next((path for path in PLACES if path.is_file()), None)
RELEASED = Config(**smoke("forking_paths", released_runs=True))
here = pytest.mark.skipif(
    FILE is None, reason=f"the released counts are not part of the project; {released.VARIABLE}"
)


def test_a_wrong_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(released.VARIABLE, raising=False)
    with pytest.raises(AnalysisError, match="name their file in FORKING_PATHS_COUNTS"):
        released.run.function(RELEASED, Progress())
    with pytest.raises(AnalysisError, match=r"Cannot read the released counts in .*absent\.npz"):
        released.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(AnalysisError, match="Cannot read"):
        released.load(tmp_path / "text.npz")
    np.savez(tmp_path / "part.npz", **{"A/1/t": np.zeros(3)})
    with pytest.raises(AnalysisError, match="has no A/1/base"):
        released.load(tmp_path / "part.npz")
    np.savez(tmp_path / "object.npz", **{"A/1/t": np.array([{}], dtype=object)})
    with pytest.raises(AnalysisError, match="Cannot read"):  # nothing is unpickled
        released.load(tmp_path / "object.npz")


def test_branches_are_sorted_into_places(tmp_path: Path) -> None:
    fields = {
        "t": np.array([0, 0, 0, 1, 2, 2], dtype="int16"),
        "base": np.array([False, True, False, True, False, True]),
        "p": np.array([0.3, 0.5, 0.1, 1.0, 0.4, 0.6], dtype="float32"),
        "c": np.array([[3, 27], [20, 10], [30, 0], [15, 15], [1, 29], [29, 1]], dtype="int8"),
        "cls": np.array([3, 1, 3], dtype="int8"),
    }
    np.savez(tmp_path / "one.npz", **{f"Task_2Choice/7/{k}": v for k, v in fields.items()})
    (question,) = released.load(tmp_path / "one.npz")
    assert question.task == "Task"
    np.testing.assert_allclose(question.paths.p[0], [[0.5, 0.3, 0.1], [1, 0, 0], [0.6, 0.4, 0]])
    assert question.paths.counts[0, 0].tolist() == [[20, 10], [3, 27], [30, 0]]


def test_two_estimates_of_one_distribution_are_told_from_two_distributions() -> None:
    rng = np.random.default_rng(0)

    def paths(second: list[float]) -> Paths:
        base = rng.multinomial(30, [0.5, 0.5], (1, 400, 1))
        base[:, 1::2] = rng.multinomial(30, second, (1, 200, 1))
        p = torch.ones(1, 400, 1, dtype=torch.float64)
        return Paths(p, torch.from_numpy(base).double())

    same, _ = released.second_estimate(paths([0.5, 0.5]))
    other, gap = released.second_estimate(paths([0.95, 0.05]))
    assert np.mean(same <= 3) > 0.98
    assert np.mean(other <= 3) < 0.3
    assert gap.mean() == pytest.approx(0.45, abs=0.03)


def test_the_whole_analysis_of_two_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, fields = np.random.default_rng(0), {}
    for name, late in (("CoinFlip/1", [0.5, 0.5]), ("LastLetter/2", [0.02, 0.98])):
        share = np.array([[0.5, 0.5]] * 40 + [late] * 40)
        fields |= {
            f"{name}/t": np.repeat(np.arange(40), 2).astype("int16"),
            f"{name}/base": np.tile([True, False], 40),
            f"{name}/p": np.tile([0.7, 0.2], 40).astype("float32"),
            f"{name}/c": np.stack([rng.multinomial(30, s) for s in share]).astype("int8"),
            f"{name}/cls": np.full(40, 3, dtype="int8"),
        }
    np.savez(tmp_path / "two.npz", **fields)
    monkeypatch.setenv(released.VARIABLE, str(tmp_path / "two.npz"))
    data = released.run.function(RELEASED, Progress())
    assert data.task.values.tolist() == ["CoinFlip", "LastLetter"]
    seen = data.sel(source="released")
    assert seen.alarm.sel(model="exact DM").values.tolist() == [0, 1]
    assert seen.alarm.sel(model="BEAST-like").values[1] == 1
    assert seen.after.sum("token_class").values.tolist() == [0, 1]
    assert (data.branches == 80).all()
    assert float(data.tokens[0]) == 60 * sum(range(40))
    assert data.attrs["example"] == "CoinFlip/1"
    ends = data.survival.sel(eps=0.3, method="nearest")
    assert (ends >= 0).all()
    assert (ends <= 1).all()
    without = [n for n, variable in data.variables.items() if "units" not in variable.attrs]
    assert without == []


def test_simulated_questions_change_as_often_as_they_should(
    questions: list[released.Released],
) -> None:
    """The most probable number of changes is the planted one, and none where there is none."""
    rng = np.random.default_rng(1)
    for changes in (0, 1, 3):
        planted = [released.planted(question, changes, rng) for question in questions[:6]]
        for question, paths in zip(questions, planted, strict=False):
            assert torch.equal(paths.samples, question.paths.samples)
            found = posterior(dirichlet_multinomial(paths.pseudo))
            assert int(found.p_m[0].argmax()) == changes
            assert released.second_estimate(paths)[0].mean() < 3
    for question in questions[-6:]:  # three changes before
        still = released.without_change(question, rng)
        assert float(posterior(dirichlet_multinomial(still.pseudo)).any[0]) < 0.1


def test_a_question_of_one_outcome_never_changes(tmp_path: Path) -> None:
    fields = {
        "t": np.arange(40, dtype="int16"),
        "base": np.ones(40, bool),
        "p": np.ones(40, dtype="float32"),
        "c": np.full((40, 1), 30, dtype="int8"),
        "cls": np.full(40, 3, dtype="int8"),
    }
    np.savez(tmp_path / "one.npz", **{f"CoinFlip/1/{k}": v for k, v in fields.items()})
    (question,) = released.load(tmp_path / "one.npz")
    assert float(posterior(dirichlet_multinomial(question.paths.pseudo)).any[0]) < 0.01


@here
def test_the_null_of_survival_is_near_one_and_changes_depend_on_the_task() -> None:
    """By the number of changes LastLetter is first, CoinFlip last; at .6 noise makes no forks."""
    assert FILE is not None
    count: dict[str, list[float]] = {}
    ends, noise = [], []
    for question in released.load(FILE):
        found = posterior(dirichlet_multinomial(question.paths.pseudo))
        count.setdefault(question.task, []).append(float(conservative(found.p_m)[0]))
        ends.append(float(survival(question.paths)[0, -1]))
        noise.append(float(survival_by_noise(question.paths, deals=2)[:, 0, -1].mean()))
    assert len(ends) == 231
    mean = {task: np.mean(values) for task, values in count.items()}
    print({task: round(float(value), 2) for task, value in mean.items()}, np.mean(noise))
    assert min(mean, key=mean.__getitem__) == "CoinFlip"
    assert max(mean, key=mean.__getitem__) == "LastLetter"
    assert float(np.mean(ends)) == pytest.approx(0.72, abs=0.01)
    assert float(np.mean(noise)) > 0.99
