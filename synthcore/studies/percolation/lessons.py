"""Languages of several sizes, networks that learn them, and what is measured on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import xarray as xr

from synthcore.studies.percolation.constraints import (
    Classes,
    ConstraintGraph,
    circulant_edges,
    random_edges,
    seeded,
)
from synthcore.studies.percolation.grammar import Slot
from synthcore.studies.percolation.measure import Examination, Values
from synthcore.studies.percolation.networks import Progress, Recipe, build, train
from synthcore.studies.percolation.pairs import CIRCULANT_VALUES, Kinds
from synthcore.studies.percolation.parameters import FRAGMENTS, Config
from synthcore.studies.percolation.skeletons import Skeletons, draw_skeletons
from synthcore.studies.percolation.task import Language, Mixture
from synthcore.studies.percolation.vocabulary import Vocabulary
from synthcore.training.schedules import log_spaced

TABLE_OF_SKELETONS = 16_384
Sentences = Literal["all", "no verbs", "one subject"]
SENTENCES: dict[str, Sentences] = {
    "fragments, no verbs": "no verbs",
    "fragments, one subject": "one subject",
}


@dataclass(frozen=True)
class Lesson:
    """A language and how it is taught. Classes may be in fragments. Training may be on purely
    descriptive sentences only (no verbs), or on those of them with one subject, while tests stay
    the same."""

    words: Vocabulary
    recipe: Recipe
    batch: int
    fragments: int = 1
    sentences: Sentences = "all"


def language_of(
    config: Config, words: Vocabulary, fragments: int = 1
) -> tuple[Language, list[ConstraintGraph]]:
    """Sentences and constraint graphs of every seed."""
    graphs = [graph_of(config, words.classes, seed, fragments) for seed in config.seeds]
    return Language(words, graphs, skeletons_of(config), config.torch_device), graphs


def selected(table: Skeletons, sentences: Sentences) -> Skeletons:
    """The sentences that a lesson shows."""
    if sentences == "all":
        return table
    pure = table.select(table.descriptive & ~table.relative)
    if sentences == "no verbs":
        return pure
    return pure.select((pure.slots == Slot.SUBJECT).sum(1) == 1)


def skeletons_of(config: Config) -> Skeletons:
    """The table that sentences are drawn from."""
    random = seeded(config.seed, 11)
    return draw_skeletons(config.syntax, TABLE_OF_SKELETONS, config.longest, random)


def graph_of(config: Config, classes: Classes, seed: int, fragments: int = 1) -> ConstraintGraph:
    """One seed's constraint graph."""
    random = seeded(seed, 12)
    if config.edges == "circulant":
        return circulant_edges(classes, config.density, CIRCULANT_VALUES, random)
    return random_edges(classes, config.density, random, fragments)


def teach(
    config: Config, lesson: Lesson, stage: str, progress: Progress | None = None
) -> xr.Dataset:
    """Train one network per seed; dimensions seed, step and those of `Examination.TABLES`."""
    words, recipe = lesson.words, lesson.recipe
    language, graphs = language_of(config, words, lesson.fragments)
    shown = selected(language.skeletons, lesson.sentences)
    taught = Language(words, graphs, shown, config.torch_device)
    model = build(recipe, words.size, config.context, config.seeds, config.torch_device)
    exam = Examination(
        language,
        Kinds.of(graphs),
        config.syntax,
        config.test_lines,
        config.samples,
        1000 + config.seed,
    )
    steps = log_spaced(recipe.steps, config.checkpoints, first=config.first_checkpoint, zero=False)
    rows = list[Values]()
    train(
        model,
        Mixture(taught, config.shares, lesson.batch, 2000 + config.seed),
        recipe,
        steps,
        lambda step, trained: rows.append(exam(model)),
        (lambda done, total: progress(stage, done, total)) if progress else None,
    )
    variables = {}
    for name in rows[0]:
        table = Examination.TABLES.get(name)
        axes = ("step", "seed", table[0]) if table else ("step", "seed")
        variables[name] = (axes, torch.stack([row[name] for row in rows]).numpy())
    coords: dict[str, Sequence[object]] = {"step": steps, "seed": list(config.seeds)}
    coords |= {axis: list(names) for axis, names in Examination.TABLES.values()}
    return xr.Dataset(variables, coords=coords)


def languages(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Every |E| with every |K|: dimensions entities, properties, seed, step ..."""
    rows = []
    for entities in config.entities:
        row = []
        for properties in config.properties:
            stage = f"language |E| = {entities}, |K| = {properties}"
            words = config.vocabulary(entities, properties)
            lesson = Lesson(words, config.recipe, config.batch)
            row.append(teach(config, lesson, stage, progress))
        rows.append(xr.concat(row, "properties").assign_coords(properties=list(config.properties)))
    data = xr.concat(rows, "entities").assign_coords(entities=list(config.entities))
    return data.assign(mentions_per_step=config.batch * mentions_per_sentence(config))


def mentions_per_sentence(config: Config) -> float:
    """Mean number of pairs (subject, property) in the sentences that are short enough."""
    slots = skeletons_of(config).slots
    return float((slots == Slot.DESCRIPTOR).sum(1).double().mean())


def variants(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Controls on the smallest language: twice the batch, unused words, a fragmented graph, and
    that without verbs, and without second subjects as well."""
    entities, properties = config.entities[0], config.properties[0]
    parts = []
    for name in config.variants:
        spare = config.properties[-1] - properties if name == "spare tokens" else 0
        lesson = Lesson(
            config.vocabulary(entities, properties, spare),
            replace(config.recipe, steps=config.variant_steps),
            2 * config.batch if name == "double batch" else config.batch,
            FRAGMENTS if name.startswith("fragments") else 1,
            SENTENCES.get(name, "all"),
        )
        data = teach(config, lesson, f"variant: {name}", progress)
        parts.append(data.drop_dims([axis for axis, _ in Examination.TABLES.values()]))
    whole = xr.concat(parts, "variant").assign_coords(variant=list(config.variants))
    names = {str(name): f"variant_{name}" for name in whole.data_vars}
    return whole.rename(names | {"step": "variant_step"})
