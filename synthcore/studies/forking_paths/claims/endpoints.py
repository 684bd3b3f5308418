"""What is estimated, per seed or per question, and how it is judged.

A run's results are a tree with one dataset per experiment. In runs of language models a question
takes the place of a seed: questions are independent, and nothing else is drawn.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.claim import Gate, Verdict
from synthcore.evidence.gates import reaches
from synthcore.evidence.results import of
from synthcore.evidence.statistics import at_least, at_most

PUBLISHED_TOKENS = 0.88e6
LARGE = 0.2
QUESTIONS = 231


def headline(results: xr.DataTree, name: str, detector: str = "exact DM") -> xr.DataArray:
    """A score of a detector at the S that decides; over all lengths, each with as many worlds."""
    data = of(results, "detection")
    values = data[name].mean("length")
    if "samples" in values.dims:
        values = values.sel(samples=data.attrs["headline"])
    return plain(values.sel(detector=detector) if "detector" in values.dims else values)


def plain(values: xr.DataArray) -> xr.DataArray:
    """Without coordinates that are not dimensions."""
    return values.reset_coords(drop=True)


# --- ForkWorld: the detector ---------------------------------------------------------------------


def large_changes_are_found(results: xr.DataTree) -> Verdict:
    """Recall of changes of .2 and more."""
    return at_least(plain(headline(results, "recall").sel(jump=LARGE)), 0.9, "recall, J >= .2")


def detections_are_changes(results: xr.DataTree) -> Verdict:
    """Precision: a change of .02 lies within two positions of a detection."""
    return at_least(headline(results, "precision"), 0.9, "precision, J >= .02")


def detections_are_large_changes(results: xr.DataTree) -> Verdict:
    """Precision as first specified: a change of .1 does."""
    return at_least(headline(results, "precision_specified"), 0.9, "precision, J >= .1")


def changes_are_found(results: xr.DataTree) -> Verdict:
    """Recall as first specified: of all changes of .1 and more."""
    return at_least(headline(results, "recall_specified"), 0.9, "recall, J >= .1")


def few_detections_of_nothing(results: xr.DataTree) -> Verdict:
    """Detections without a change of .02 near, per text."""
    return at_most(headline(results, "spurious"), 0.2, "detections of nothing, per text")


def no_more_than_large_changes(results: xr.DataTree) -> Verdict:
    """As first specified: detections less changes of .1, per text."""
    excess = headline(results, "detections") - headline(results, "changes")
    return at_most(excess, 0.2, "detections less changes of .1")


def most_tokens_are_still(results: xr.DataTree) -> Verdict:
    """Share of tokens that move the outcomes by less than .02: as the worlds are drawn."""
    return at_least(headline(results, "still"), 0.9, "tokens with a jump < .02")


def marks_fork_like_words(results: xr.DataTree) -> Verdict:
    """Recall of forks that look like punctuation, less that of words: the detector sees neither."""
    recall = of(results, "detection").surface_recall.mean("length")
    gap = recall.sel(surface="punctuation") - recall.sel(surface="word")
    return at_most(plain(abs(gap)), 0.05, "recall, punctuation against words")


def change_points_miss_rare_forks(results: xr.DataTree) -> Verdict:
    """Share of even forks found by change points, less that of rare ones."""
    hit = of(results, "planted").change_hit
    return at_least(plain(hit.sel(fork="even") - hit.sel(fork="rare")), 0.4, "even less rare")


def hazards_see_all_alike(results: xr.DataTree) -> Verdict:
    """Largest difference of the share found by hazards between forks that are branched to."""
    hit = of(results, "planted").hazard_hit.sel(fork=["rare", "uneven", "even"])
    return at_most(plain(hit.max("fork") - hit.min("fork")), 0.15, "hazards: largest difference")


def hazards_see_forks(results: xr.DataTree) -> Gate:
    """They find most of the forks that are branched to: who sees none sees all alike."""
    hit = of(results, "planted").hazard_hit.sel(fork=["rare", "uneven", "even"])
    return reaches(hit, 0.7, "share found by hazards")


def no_false_alarms(results: xr.DataTree) -> Verdict:
    """Share of texts without a fork with a Bayes factor above 9."""
    alarm = of(results, "counting").alarm.sel(model="exact DM", forks=0)
    return at_most(plain(alarm), 0.05, "false alarms")


def counts_are_right(results: xr.DataTree) -> Verdict:
    """Mean of the most probable number of changes, off the true one; worst number of forks."""
    data = of(results, "counting")
    off = abs(data.counted.sel(counter="exact DM") - data.true_forks)
    return at_most(plain(off.max("forks")), 0.2, "mean count, off the truth")


# --- checks of code ------------------------------------------------------------------------------


def backends_agree(results: xr.DataTree) -> Verdict:
    """Completions by which any backend's counts differ from those of the world asked directly."""
    data = of(results, "backends")
    real = data.off_direct.sel(backend=~data.backend.str.startswith("control"))
    return at_most(plain(real.max("backend")), 0.5, "completions counted otherwise")


def error_is_noise(results: xr.DataTree) -> Verdict:
    """Error of o_t of the world asked directly, as a multiple of what sampling gives."""
    return at_most(plain(of(results, "backends").excess.sel(backend="ForkWorld")), 1.25, "error")


def noise_falls_as_the_root(results: xr.DataTree) -> Verdict:
    """|slope of log noise over log S + 1/2|."""
    data = of(results, "noise")
    size = np.log(data.draws.values.astype(float))
    table = np.log(data.noise.transpose("seed", "draws").values.astype(float))
    slope = xr.DataArray([np.polyfit(size, row, 1)[0] for row in table], dims="seed")
    return at_most(abs(slope + 0.5), 0.05, "slope, off one half")


def noise_is_normal(results: xr.DataTree) -> Verdict:
    """Noise over its normal approximation, less 1; worst S of 30 and more."""
    data = of(results, "noise")
    large = data.sel(draws=data.draws >= 30)
    off = abs(large.noise / large.noise_expected - 1).max("draws")
    return at_most(plain(off), 0.1, "off the normal law")


def cost_is_the_product(results: xr.DataTree) -> Verdict:
    """T x branches x S x T / 2 over the tokens counted, less 1; worst length."""
    data = of(results, "detection")
    law = data.length**2 * data.branches * of(results, "detection").attrs["headline"] / 2
    return at_most(plain(abs(data.cost / law - 1).max("length")), 0.1, "off the law")


def identities_hold(results: xr.DataTree) -> Verdict:
    """Largest violation of I1 to I3 and of J <= 1 - p*."""
    return at_most(plain(of(results, "planted").identity.max(["fork", "law"])), 1e-12, "violation")


# --- the released runs ---------------------------------------------------------------------------


def recipe(results: xr.DataTree, name: str) -> xr.DataArray:
    """By the paper's recipe, of the observed questions; by the exact Gaussian model of its kind
    where Rbeast was not installed."""
    values = of(results, "released")[name].sel(source="released")
    found = values.sel(model="Rbeast")
    return plain(found if bool(found.notnull().all()) else values.sel(model="BEAST-like"))


def questions_fork(results: xr.DataTree) -> Verdict:
    """Share of questions with a Bayes factor above 9, by the paper's recipe."""
    return at_least(recipe(results, "alarm"), 0.6, "share of questions", "question")


def changes_are_few(results: xr.DataTree) -> Verdict:
    """m^ per question, by the paper's recipe."""
    return at_most(recipe(results, "change_points"), 2.5, "change points", "question")


def some_change(results: xr.DataTree) -> Gate:
    """There are changes to be counted: a recipe that finds none finds few."""
    return reaches(recipe(results, "alarm"), 0.3, "share of questions that change")


def the_confident_fork(results: xr.DataTree) -> Verdict:
    """Share with a Bayes factor above 9 among questions that end with .9 on one answer."""
    end = plain(of(results, "released").end.sel(source="released"))
    sure = recipe(results, "alarm").where(end >= 0.9, drop=True)
    return at_least(sure, 0.5, "share of the confident", "question")


def confidence_does_not_tell(results: xr.DataTree) -> Verdict:
    """|correlation| of confidence at the end and m^, by the jackknife over questions."""
    end = of(results, "released").end.sel(source="released").values.astype(float)
    found = recipe(results, "change_points").values.astype(float)
    n, keep = len(end), ~np.eye(len(end), dtype=bool)
    whole = float(np.corrcoef(end, found)[0, 1])
    without = np.array([np.corrcoef(end[row], found[row])[0, 1] for row in keep])
    pseudo = np.sign(whole) * (n * whole - (n - 1) * without)
    return at_most(xr.DataArray(pseudo, dims="question"), 0.3, "|correlation|", "question")


def by_task(results: xr.DataTree, values: xr.DataArray) -> dict[str, np.ndarray]:
    """Values of the released questions, by task."""
    task = of(results, "released").task.values.astype(str)
    return {name: values.values[task == name].astype(float) for name in sorted(set(task))}


def coin_flip_changes_least(results: xr.DataTree) -> Verdict:
    """m^ of the task that comes next less that of CoinFlip."""
    return _ahead(by_task(results, recipe(results, "change_points")), "CoinFlip", -1, 0.19)


def last_letter_changes_most(results: xr.DataTree) -> Verdict:
    """m^ of LastLetter less that of the task that comes next."""
    return _ahead(by_task(results, recipe(results, "change_points")), "LastLetter", 1, 0.11)


def last_letter_survives_least(results: xr.DataTree) -> Verdict:
    """Survival at .6 of the task that comes next less that of LastLetter."""
    data = of(results, "released").survival.sel(eps=0.6, method="nearest")
    return _ahead(by_task(results, plain(data)), "LastLetter", -1, 0.06)


def _ahead(values: dict[str, np.ndarray], task: str, sign: int, margin: float) -> Verdict:
    """By how much a task is ahead of the next: i-th question against i-th question, both in the
    order of their numbers, which have nothing to do with one another."""
    others = {name: sign * found.mean() for name, found in values.items() if name != task}
    if task not in values or not others:
        return Verdict.not_testable(f"no questions of {task}, or of no other task")
    rival = max(others, key=others.__getitem__)
    n = min(len(values[task]), len(values[rival]))
    gap = sign * (values[task][:n] - values[rival][:n])
    return at_least(xr.DataArray(gap, dims="question"), margin, f"{task} to {rival}", "question")


def changes_follow_marks(results: xr.DataTree) -> Verdict:
    """Changes with p(tau) > .5 that follow punctuation, per question; five in the paper's."""
    data = of(results, "released")
    after = data.after.sel(source="released", token_class="punctuation")
    return at_least(plain(after), 5 / QUESTIONS, "per question", "question")


def marks_have_more_than_their_share(results: xr.DataTree) -> Verdict:
    """Changes after punctuation less the share of punctuation in the text, per change."""
    data = of(results, "released")
    after = plain(data.after.sel(source="released"))
    some = after.sum("token_class") > 0
    seen = after / after.sum("token_class")
    base = data.classes / data.classes.sum("token_class")
    gap = plain((seen - base).sel(token_class="punctuation").where(some, drop=True))
    return at_least(gap, 0.05, "share of changes less share of tokens", "question")


def estimates_agree(results: xr.DataTree) -> Verdict:
    """Share of positions at which two estimates of one outcome distribution are within three
    standard deviations."""
    agree = of(results, "released").agree.sel(source="released")
    return at_least(plain(agree), 0.98, "share of positions", "question")


def cost_is_the_published(results: xr.DataTree) -> Verdict:
    """Tokens over the published 0.88 million, mean over questions, less 1."""
    share = of(results, "released").tokens / PUBLISHED_TOKENS - 1
    return at_most(plain(share), 0.2, "over 0.88 million, less 1", "question")


# --- a language model on this machine ------------------------------------------------------------


def its_texts_fork(results: xr.DataTree) -> Verdict:
    """Share of its questions with P(m >= 1) > .9, exact."""
    p_m = of(results, "language_model").p_m.sel(source="observed", m=0)
    return at_least(plain((p_m < 0.1).astype(float)), 0.36, "share", "question", "share")


def enough_questions(results: xr.DataTree) -> Gate:
    """Twenty questions: fewer say next to nothing of a share."""
    return reaches([of(results, "language_model").sizes.get("question", 0)], 20, "questions")
