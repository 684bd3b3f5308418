"""What the networks are compared with under the same rules: ideal learners, which do what a claim
says, and learners or runs that do not.

A run's results are a tree with one dataset per experiment: graphs, streams, pairs, worlds,
languages, variants.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.evidence.results import of, with_experiment
from synthcore.studies.percolation.measure.scaling import descriptive_types, grammar
from synthcore.training.seeding import seeded

SCATTER = 0.02  # of the ideal learner's log times over seeds
GRAMMAR, RELATIVE, TASK, DESCRIPTIVE, COPY = 100.0, 1000.0, 1500.0, 1e4, 1.5e4
"""Updates at which an ideal learner is half way: the paper's Fig. 4, the largest |K|."""
STEPS = np.concatenate([[0], np.geomspace(10, 1e5, 60).round()])


def untrained(results: xr.DataTree) -> xr.DataTree:
    """Every network stays what it was before training."""
    names = [name for name in ("pairs", "worlds", "languages", "variants") if name in results]
    for name in names:
        data = of(results, name)
        for key, values in data.data_vars.items():
            if "step" in values.dims:
                first = values.isel(step=0, drop=True).broadcast_like(values)
                data[key] = first.transpose(*values.dims)
        results = with_experiment(results, name, data)
    return results


# --- ideal learners -----------------------------------------------------------------------------


def on_schedule(results: xr.DataTree) -> xr.DataTree:
    """A learner with the paper's times: grammar after 100 updates, relative types after 1,000,
    tasks soon after, descriptive types after 10,000 at the largest |K| and as its root,
    unscrambling of descriptive sentences as its power 1.5. Seeds scatter by a fiftieth."""
    data = of(results, "languages")
    step = xr.DataArray(STEPS, dims="step", coords={"step": STEPS})
    classes = data.attrs["classes"]
    seeds, sizes = data.seed.values.tolist(), data.properties / data.properties.max()

    def rise(word: str, half: float, power: float = 3.0, exponent: float = 0.0) -> xr.DataArray:
        shape = (data.sizes["properties"],)
        drawn = [
            torch.randn(shape, generator=seeded(seed, "ideal", word)).numpy() for seed in seeds
        ]
        noise = xr.DataArray(drawn, dims=("seed", "properties"))
        noise = noise.assign_coords(seed=seeds, properties=data.properties.values)
        middle = half * sizes**exponent * np.exp(SCATTER * noise)
        curve = 1 / (1 + (middle / step.where(step > 0)) ** power)
        return curve.fillna(0.0).expand_dims(entities=data.entities.values)

    chance = 1 / classes
    kinds = rise("descriptive", DESCRIPTIVE, exponent=0.5)
    relative = rise("relative", RELATIVE, 6.0)
    syntax = rise("grammar", GRAMMAR)
    exact = xr.concat(
        [0.6 * rise("copy", COPY, 5.0, 1.5), 0.8 * rise("task", TASK, 5.0)], "sort"
    ).assign_coords(sort=["descriptive", "relative"])
    gaps = {"order": 40 * syntax, "relations": 10 * relative, "descriptors": 8 * kinds}
    likely = xr.concat([0 * syntax, *(-gap for gap in gaps.values())], "altered")
    learner = xr.Dataset(
        {
            "syntax": 0.1 + 0.9 * syntax,
            "syntax_chance": 0 * syntax + 0.1,
            "verb_share": 2 * chance + (1 - 2 * chance) * relative,
            "object_share": chance + (1 - chance) * relative,
            "class_mass": chance + (1 - chance) * kinds,
            "descriptor_mass": rise("descriptors", GRAMMAR / 3),
            "grammatical": 0.95 * syntax,
            "relative": relative,
            "descriptive": chance + (1 - chance) * kinds,
            "exact": exact,
            "all_conditions": 0.9 * rise("conditions", TASK, 5.0),
            "log_likelihood": likely.assign_coords(altered=["normal", *gaps]),
            "never_odds": 4 * kinds,
            "never_lift": 1 + 0.9 * (classes - 1) * kinds,
            "never_left": 0 * kinds + 0.5,
        },
        attrs=data.attrs,
    )
    return with_experiment(results, "languages", learner)


def component_learner(results: xr.DataTree) -> xr.DataTree:
    """A learner that takes every component of the graph for a class: what no path joins stays as it
    was before training."""
    data = of(results, "worlds")
    first = data.odds_apart.isel(step=0, drop=True).broadcast_like(data.odds_apart)
    joined = 4 + first.transpose(*data.odds_joined.dims)
    learner = data.assign(
        odds_apart=first.transpose(*data.odds_apart.dims), odds_joined=joined, odds=joined
    )
    return with_experiment(results, "worlds", learner)


def counts_presentations(results: xr.DataTree) -> xr.DataTree:
    """A learner that counts presentations, on the paper's times: with twice the batch it is half
    way after 500 updates and not 1,000, with unused words after 1,000 as well."""
    data = of(results, "worlds")
    names, halves = ["base", "double batch", "spare tokens"], [1000.0, 500.0, 1000.0]
    seeds = data.seed.values.tolist()
    drawn = [torch.randn(3, generator=seeded(seed, "ideal clock")).numpy() for seed in seeds]
    noise = xr.DataArray(drawn, {"seed": seeds, "world": names}, ("seed", "world"))
    half = xr.DataArray(halves, dims="world") * np.exp(SCATTER * noise)
    step = xr.DataArray(STEPS, {"step": STEPS}, ("step",))
    classes = data.classes.sel(world=names)
    rise = (1 / (1 + (half / step.where(step > 0)) ** 3)).fillna(0.0)
    mass = 1 / classes + (1 - 1 / classes) * rise
    learner = xr.Dataset({"class_mass": mass, "classes": classes})
    return with_experiment(results, "worlds", learner)


def sentences_bridge(results: xr.DataTree) -> xr.DataTree:
    """Fragments are joined where all sentences are shown, and stay apart where they are not."""
    data = of(results, "variants")
    first = data.odds_apart.isel(step=0, drop=True).broadcast_like(data.odds_apart)
    first = first.transpose(*data.odds_apart.dims)
    whole = data.variant == "fragments"
    joined = (4 + first).transpose(*data.odds_joined.dims)
    apart = xr.where(whole, joined, first).transpose(*data.odds_apart.dims)
    return with_experiment(results, "variants", data.assign(odds_joined=joined, odds_apart=apart))


# --- the language -------------------------------------------------------------------------------


def curves_dealt(results: xr.DataTree) -> xr.DataTree:
    """In every seed the three phases change places at random: which metric is whose means nothing.
    Probabilities, samples and likelihoods alike."""
    data = of(results, "languages").copy(deep=True)
    classes, found = data.attrs["classes"], data.copy(deep=True)
    relative = (data.verb_share - 2 / classes) / (1 - 2 / classes)
    kinds = [grammar(data), relative, descriptive_types(data)]
    checks = [data.grammatical, data.relative, (data.descriptive * classes - 1) / (classes - 1)]
    valid = data.log_likelihood.sel(altered="normal", drop=True)
    names = ("order", "relations", "descriptors")
    gaps = [valid - data.log_likelihood.sel(altered=name, drop=True) for name in names]
    for seed in data.seed.values.tolist():
        a, b, c = torch.randperm(3, generator=seeded(seed, "dealt")).tolist()
        at = {"seed": seed}

        def put(name: str, values: xr.DataArray, at: dict[str, int] = at) -> None:
            target = found[name].loc[at]
            found[name].loc[at] = values.sel(at).transpose(*target.dims)

        put("syntax", data.syntax_chance + (1 - data.syntax_chance) * kinds[a])
        put("verb_share", 2 / classes + (1 - 2 / classes) * kinds[b])
        put("object_share", 1 / classes + (1 - 1 / classes) * kinds[b])
        put("class_mass", 1 / classes + (1 - 1 / classes) * kinds[c])
        put("grammatical", checks[a])
        put("relative", checks[b])
        put("descriptive", (1 + (classes - 1) * checks[c]) / classes)
        for name, gap in zip(names, (gaps[a], gaps[b], gaps[c]), strict=True):
            one = found.log_likelihood.loc[{"seed": seed, "altered": name}]
            moved = (valid - gap).sel(at).transpose(*one.dims)
            found.log_likelihood.loc[{"seed": seed, "altered": name}] = moved
    return with_experiment(results, "languages", found)


def gradual(results: xr.DataTree) -> xr.DataTree:
    """A learner whose relative types come as slowly as log time passes."""
    data = of(results, "languages")
    log = np.log(data.step.where(data.step > 0))
    ramp = ((log - log[1]) / (log[-1] - log[1])).fillna(0.0)
    classes = data.attrs["classes"]
    scatter = 1 - 0.01 * (data.seed - data.seed.min()) / max(data.sizes["seed"], 1)
    rise = (ramp * scatter).broadcast_like(data.verb_share).transpose(*data.verb_share.dims)
    slow = data.assign(
        verb_share=2 / classes + (1 - 2 / classes) * rise,
        object_share=1 / classes + (1 - 1 / classes) * rise,
    )
    return with_experiment(results, "languages", slow)


def copying_first(results: xr.DataTree) -> xr.DataTree:
    """A policy that copies from the prompt and knows nothing else: both tasks from the start."""
    data = of(results, "languages")
    copies = data.assign(
        exact=xr.ones_like(data.exact), all_conditions=xr.ones_like(data.all_conditions)
    )
    return with_experiment(results, "languages", copies)


def sorts_dealt(results: xr.DataTree) -> xr.DataTree:
    """In every other seed the two sorts of sentences change places."""
    data = of(results, "languages")
    turned = data.exact.isel(sort=[1, 0]).assign_coords(sort=data.sort.values)
    odd = (data.seed - data.seed.min()) % 2 == 1
    exact = xr.where(odd, turned, data.exact).transpose(*data.exact.dims)
    return with_experiment(results, "languages", data.assign(exact=exact))


def types_with_grammar(results: xr.DataTree) -> xr.DataTree:
    """A learner that has all types as soon as it has the grammar."""
    data = of(results, "languages")
    classes = data.attrs["classes"]
    mass = 1 / classes + (1 - 1 / classes) * grammar(data)
    mass = mass.transpose(*data.class_mass.dims)
    return with_experiment(results, "languages", data.assign(class_mass=mass))


def memoriser(results: xr.DataTree) -> xr.DataTree:
    """A table of counts in place of the networks: what it never saw is all alike. The table was
    filled from the pair learner's stream at the largest |K|."""
    data, table = of(results, "languages"), of(results, "pairs").isel(properties=-1, drop=True)

    def spread(values: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
        numbers = np.resize(values.values, data.sizes["seed"])
        one = xr.DataArray(numbers, dims="seed", coords={"seed": data.seed.values})
        return one.broadcast_like(like).transpose(*like.dims)

    counted = data.assign(
        never_odds=spread(table.memory_odds, data.never_odds),
        never_lift=spread(table.memory_lift, data.never_lift),
    )
    changed = with_experiment(results, "languages", counted)
    pairs = of(results, "pairs")
    odds = pairs.memory_odds.broadcast_like(pairs.odds).transpose(*pairs.odds.dims)
    lift = pairs.memory_lift.broadcast_like(pairs.lift).transpose(*pairs.lift.dims)
    return with_experiment(changed, "pairs", pairs.assign(odds=odds, lift=lift))


def size_blind(results: xr.DataTree) -> xr.DataTree:
    """At every |K| stand the networks of the smallest, each time those of other seeds."""
    data = of(results, "languages")
    blind = data.copy(deep=True)
    for key, values in data.data_vars.items():
        if {"properties", "seed"} <= set(values.dims):
            first = values.isel(properties=0, drop=True)
            for shift in range(data.sizes["properties"]):
                moved = first.roll(seed=shift, roll_coords=False)
                target = blind[key][{"properties": shift}]
                blind[key][{"properties": shift}] = moved.transpose(*target.dims)
    return with_experiment(results, "languages", blind)


def syntax_waits(results: xr.DataTree) -> xr.DataTree:
    """Syntax comes as late as descriptive types do, at every |K|."""
    data = of(results, "languages")
    waits = data.syntax_chance + (1 - data.syntax_chance) * descriptive_types(data)
    syntax = waits.transpose(*data.syntax.dims)
    return with_experiment(results, "languages", data.assign(syntax=syntax))


# --- fragments and clocks -----------------------------------------------------------------------


def fragments_joined(results: xr.DataTree) -> xr.DataTree:
    """Where no path joins stand the same-class pairs of the world whose classes are whole."""
    data = of(results, "worlds")
    whole = data.odds.sel(world="base", drop=True)
    apart = whole.broadcast_like(data.odds_apart).transpose(*data.odds_apart.dims)
    return with_experiment(results, "worlds", data.assign(odds_apart=apart))


def steps_set_the_clock(results: xr.DataTree) -> xr.DataTree:
    """Only the number of updates counts: where the batch is twice as large stand learners of the
    base world, of other seeds."""
    data = of(results, "worlds")
    mass = data.class_mass.copy(deep=True)
    base = data.class_mass.sel(world="base", drop=True).roll(seed=1, roll_coords=False)
    target = mass.loc[{"world": "double batch"}]
    mass.loc[{"world": "double batch"}] = base.transpose(*target.dims)
    return with_experiment(results, "worlds", data.assign(class_mass=mass))


def sentences_alike(results: xr.DataTree) -> xr.DataTree:
    """Whatever sentences there are, networks are those that saw all, of other seeds."""
    data = of(results, "variants")
    found = data.copy(deep=True)
    whole = data.sel(variant="fragments", drop=True)
    for name in data.variant.values.tolist():
        if name.startswith("fragments,"):
            for key in ("odds_apart", "odds_joined"):
                moved = whole[key].roll(seed=1, roll_coords=False)
                target = found[key].loc[{"variant": name}]
                found[key].loc[{"variant": name}] = moved.transpose(*target.dims)
    return with_experiment(results, "variants", found)


# --- theory -------------------------------------------------------------------------------------


def another_graph(results: xr.DataTree) -> xr.DataTree:
    """The theory of another ratio q / p_c."""
    data = of(results, "graphs")
    other = data.joined_theory.roll(checked=1, roll_coords=False)
    return with_experiment(results, "graphs", data.assign(joined_theory=other))


def one_sided(results: xr.DataTree) -> xr.DataTree:
    """Graphs of which only one side grows."""
    data = of(results, "graphs")
    return with_experiment(
        results, "graphs", data.assign(proportional_exponent=data.widening_exponent)
    )


def seen_twice(results: xr.DataTree) -> xr.DataTree:
    """Edges count from their second presentation on."""
    data = of(results, "streams")
    x = data.exposure
    twice = (1 - np.exp(-x) * (1 + x)).broadcast_like(data.seen).transpose(*data.seen.dims)
    return with_experiment(results, "streams", data.assign(seen=twice, seen_in_text=twice))
