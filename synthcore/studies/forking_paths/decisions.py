"""How each claim is decided, from the dataset alone.

Claims about the paper's own runs take questions where the others take seeds. Parts that need the
released runs are decided only where they were analysed.
"""

import numpy as np
import xarray as xr

from synthcore.evidence.first_edition import Rule, Verdict, Word, all_of, at_least, at_most

PUBLISHED_ALARMS, PUBLISHED_TOKENS = 0.72, 0.88e6
RESAMPLES = 4000


def headline(data: xr.Dataset, name: str) -> xr.DataArray:
    """At the S that decides; over all lengths, each with equally many worlds."""
    values = data[name]
    if "samples" in values.dims:
        values = values.sel(samples=data.attrs["headline"], drop=True)
    return values.mean("length")


def within(values: xr.DataArray, centre: float, slack: float, label: str, over: str) -> Verdict:
    """|mean - centre| <= slack; the interval is that of the mean over `over`."""
    found = at_least(values - centre, -slack, over=over, rule="mean")
    mean = float(values.mean()) - centre
    word = Word.REPRODUCED if abs(mean) <= slack else Word.NOT
    note = f"difference from {centre:g}, at most {slack:g} either way"
    return Verdict(abs(mean), slack, "<=", found.interval, found.n, word, note, label=label)


def resampled(
    values: dict[str, np.ndarray], label: str, lowest: str = "", highest: str = ""
) -> Verdict:
    """Is the mean of one group the lowest (or highest) of all? Its distance from the next, with a
    bootstrap interval over members of every group; reproduced if the interval is above 0."""
    sign, chosen = (1.0, lowest) if lowest else (-1.0, highest)
    rng = np.random.default_rng(0)

    def gap(means: dict[str, np.ndarray]) -> np.ndarray:
        others = np.stack([sign * m for name, m in means.items() if name != chosen])
        return np.asarray(others.min(0) - sign * means[chosen])

    drawn = {
        k: v[rng.integers(len(v), size=(RESAMPLES, len(v)))].mean(1) for k, v in values.items()
    }
    low, high = np.quantile(gap(drawn), [0.025, 0.975])
    seen = float(gap({k: np.array(v.mean()) for k, v in values.items()}))
    word = Word.REPRODUCED if low > 0 else Word.NOT
    order = "holds" if seen > 0 else "does not hold"
    note = f"the order {order} in these questions; the bootstrap interval must lie above 0"
    n = min(len(v) for v in values.values())
    return Verdict(seen, 0.0, ">=", (float(low), float(high)), n, word, note, label=label)


def by_task(data: xr.Dataset, values: xr.DataArray) -> dict[str, np.ndarray]:
    """Values of the released questions, by task."""
    task = data.released_task.values.astype(str)
    return {name: values.values[task == name].astype(float) for name in sorted(set(task))}


def paper_alarm(data: xr.Dataset) -> xr.DataArray:
    """Bayes factor above 9 by the paper's recipe, as a share of jitters, per released question; by
    the exact Gaussian model where Rbeast was not installed."""
    alarms = data.released_alarm
    recipe = alarms.sel(released_detector="Rbeast", drop=True)
    return (
        recipe
        if bool(recipe.notnull().all())
        else alarms.sel(released_detector="BEAST-like", drop=True)
    )


def forks_exist(data: xr.Dataset) -> Verdict:
    """C1. A detection is right if a change of at least .02 lies within two positions."""
    parts = [
        at_least(
            headline(data, "recall").isel(jump=-1, drop=True), 0.9, label="recall, jumps >= .2"
        ),
        at_least(headline(data, "precision"), 0.9, label="precision"),
    ]
    if "released_alarm" in data:
        exact = by_task(data, data.released_alarm.sel(released_detector="exact DM"))
        high = np.sort([values.mean() for values in exact.values()])[::-1]
        parts.append(_sixth(exact, float(high[5])))
        parts.append(
            within(paper_alarm(data), PUBLISHED_ALARMS, 0.05, "paper's recipe", "question")
        )
    return all_of(*parts)


def _sixth(by: dict[str, np.ndarray], sixth: float) -> Verdict:
    """At least .6 of the questions in six of seven tasks: the sixth highest share."""
    rng = np.random.default_rng(0)
    drawn = [v[rng.integers(len(v), size=(RESAMPLES, len(v)))].mean(1) for v in by.values()]
    ranked = np.sort(np.stack(drawn), 0)[::-1][5]
    low, high = np.quantile(ranked, [0.025, 0.975])
    word = Word.REPRODUCED if sixth >= 0.6 else Word.NOT
    n = min(len(v) for v in by.values())
    note = "share with P(m >= 1) > .9 in the sixth of seven tasks"
    return Verdict(
        sixth, 0.6, ">=", (float(low), float(high)), n, word, note, label="six of seven tasks"
    )


def sparse(data: xr.Dataset) -> Verdict:
    """C2."""
    parts = [
        at_least(headline(data, "still"), 0.9, label="positions with a jump < .02"),
        at_most(headline(data, "spurious"), 0.2, label="detections of nothing, per text"),
    ]
    if "released_m" in data:
        m = data.released_m.sel(released_detector="exact DM", drop=True)
        recipe = data.released_m.sel(released_detector="Rbeast", drop=True)
        decided = recipe if bool(recipe.notnull().all()) else m
        parts.append(
            at_most(decided, 2.5, over="question", rule="mean", label="m^ in released runs")
        )
    return all_of(*parts)


def confidence_hides(data: xr.Dataset) -> Verdict:
    """C3: questions whose text ends with a share of at least .9 on one answer."""
    alarm, end = paper_alarm(data), data.released_end
    sure = alarm.where(end >= 0.9, drop=True)
    m = data.released_m.sel(released_detector="Rbeast", drop=True)
    m = (
        m
        if bool(m.notnull().all())
        else data.released_m.sel(released_detector="BEAST-like", drop=True)
    )
    rng = np.random.default_rng(0)
    pairs = np.stack([end.values, m.values]).astype(float)
    draws = rng.integers(pairs.shape[1], size=(RESAMPLES // 4, pairs.shape[1]))
    found = [abs(np.corrcoef(pairs[:, draw])[0, 1]) for draw in draws]
    seen = abs(float(np.corrcoef(pairs)[0, 1]))
    low, high = np.quantile(found, [0.025, 0.975])
    word = Word.REPRODUCED if seen <= 0.3 else Word.NOT
    correlation = Verdict(
        seen, 0.3, "<=", (float(low), float(high)), pairs.shape[1], word,
        "bootstrap over questions", label="|correlation| of confidence and m^",
    )  # fmt: skip
    return all_of(
        at_least(sure, 0.5, over="question", rule="mean", label="alarms among the confident"),
        correlation,
    )


def depends_on_task(data: xr.Dataset) -> Verdict:
    """C4."""
    alarms = by_task(data, paper_alarm(data))
    end = data.released_survival.sel(control="observed").sel(eps=0.6, method="nearest")
    ends = by_task(data, end)
    return all_of(
        resampled(alarms, "CoinFlip: fewest alarms", lowest="CoinFlip"),
        resampled(ends, "CoinFlip: highest survival", highest="CoinFlip"),
        resampled(alarms, "LastLetter: most alarms", highest="LastLetter"),
        resampled(ends, "LastLetter: lowest survival", lowest="LastLetter"),
    )


def surprising(data: xr.Dataset) -> Verdict:
    """C5: forks that look like punctuation are found as often as words; there are some in the
    released runs."""
    recall = data.surface_recall.mean("length")
    gap = abs(recall.sel(surface="punctuation", drop=True) - recall.sel(surface="word", drop=True))
    parts = [at_most(gap, 0.05, label="recall, punctuation against words")]
    if "released_after" in data:
        marks = data.released_after.sel(token_class="punctuation").sum("question")
        count = float(marks)
        rng = np.random.default_rng(0)
        each = data.released_after.sel(token_class="punctuation").values
        drawn = each[rng.integers(len(each), size=(RESAMPLES, len(each)))].sum(1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        word = Word.REPRODUCED if count >= 5 else Word.NOT
        parts.append(
            Verdict(
                count,
                5.0,
                ">=",
                (float(low), float(high)),
                len(each),
                word,
                "change points with p(tau) > .5 after punctuation",
                label="in released runs",
            )
        )
    return all_of(*parts)


def black_box(data: xr.Dataset) -> Verdict:
    """C6: every backend answers all, and is as far from the truth as noise explains."""
    real = data.sel(backend=[b for b in data.backend.values if "control" not in str(b)])
    return all_of(
        at_least(real.complete.min("backend"), 1.0, label="completions counted"),
        at_most(real.excess.max("backend"), 1.25, label="error as a multiple of noise"),
        at_least(data.learned_complete, 1.0, label="network: completions counted"),
        at_most(data.learned_excess, 1.25, label="network: two analyses against noise"),
    )


def two_questions(data: xr.Dataset) -> Verdict:
    """C7."""
    change, hazard = data.change_hit, data.hazard_hit
    rise = change.sel(fork="even", drop=True) - change.sel(fork="rare", drop=True)
    visible = hazard.sel(fork=["rare", "uneven", "even"])
    parts = [
        at_least(rise, 0.4, label="change points: even less rare forks"),
        at_most(
            visible.max("fork") - visible.min("fork"), 0.15, label="hazard: largest difference"
        ),
        at_most(hazard.sel(fork="hidden", drop=True), 0.1, label="hazard: hidden forks"),
        at_most(change.sel(fork="hidden", drop=True), 0.1, label="change points: hidden forks"),
        at_most(data.identity.max(["fork", "law"]), 1e-12, label="identities, largest violation"),
    ]
    if "released_i1_close" in data:
        close = data.released_i1_close / data.released_i1_positions
        parts.append(
            at_least(close, 0.98, over="question", rule="mean", label="I1 in released runs")
        )
    return all_of(*parts)


def multinomial(data: xr.Dataset) -> Verdict:
    """C8."""
    size = np.log(data.draws.values.astype(float))
    table = np.log(data.noise.transpose("seed", "draws").values.astype(float))
    slope = xr.DataArray([np.polyfit(size, row, 1)[0] for row in table], dims="seed")
    large = data.sel(draws=data.draws >= 30)
    ratio = (large.noise / large.noise_expected - 1).pipe(abs).max("draws")
    return all_of(
        at_least(slope, -0.55, label="slope, lower end"),
        at_most(slope, -0.45, label="slope, upper end"),
        at_most(ratio, 0.1, label="off the normal law, S >= 30"),
    )


def exact_counts(data: xr.Dataset) -> Verdict:
    """C9."""
    off = (data.counted.sel(detector="exact DM", drop=True) - data.true_forks).pipe(abs)
    alarm = data.alarm.sel(soft="exact DM", forks=0, drop=True)
    return all_of(
        at_most(alarm, 0.05, label="false alarms"),
        at_most(off.max("forks"), 0.2, label="mean count, off the truth"),
    )


def cost(data: xr.Dataset, rule: Rule = "each") -> Verdict:
    """C10: T x branches x S x T / 2."""
    law = data.length**2 * data.branches * data.attrs["headline"] / 2
    off = (data.cost / law - 1).pipe(abs).max("length")
    parts = [at_most(off, 0.1, rule=rule, label="ForkWorld: off the law")]
    if "released_tokens" in data:
        share = data.released_tokens / PUBLISHED_TOKENS
        parts.append(within(share, 1.0, 0.2, "released runs: share of 0.88 M tokens", "question"))
    return all_of(*parts)
