"""Transformers on languages of several sizes, and on the smallest with one thing changed."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr
from torch import nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.percolation.config import FRAGMENTS, LANGUAGE, Config
from synthcore.studies.percolation.measure.evaluation import Evaluator
from synthcore.studies.percolation.measure.masses import CoOccurrence, Kinds
from synthcore.studies.percolation.model import BETAS, LineLoss, loss_of, transformer
from synthcore.studies.percolation.task.grammar import GRAMMARS, Grammar, Slot
from synthcore.studies.percolation.task.language import Language, LineSampler
from synthcore.studies.percolation.task.skeletons import Skeletons, draw_skeletons
from synthcore.studies.percolation.task.vocabulary import (
    CIRCULANT_VALUES,
    ConstraintGraph,
    Vocabulary,
    circulant_edges,
    random_edges,
)
from synthcore.training.accelerate import Acceleration
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

SKELETONS = 16_384  # of the table from which sentences are drawn
UNITS = {
    "step": "updates",
    "entities": "entities",
    "properties": "properties",
    "loss": "nats/token",
    "excess_loss": "nats/token",
    "log_likelihood": "nats/sentence",
    "mentions_per_step": "pairs/update",
    "odds": "nats",
    "odds_joined": "nats",
    "odds_apart": "nats",
    "never_odds": "nats",
}


@dataclass(frozen=True)
class Setting:
    """A language and how it is trained. Classes may be in fragments. Training may be on purely
    descriptive sentences only (no verbs), or on those of them with one subject, while tests stay
    the same."""

    words: Vocabulary
    grammar: Grammar
    edges: str
    density: float
    shares: tuple[float, ...]
    loss: LineLoss
    batch: int
    steps: int
    fragments: int = 1
    sentences: str = "all"


def setting_of(config: Config, entities: int, properties: int) -> Setting:
    """The language of these sizes, as the parameters have it."""
    return Setting(
        config.vocabulary(entities, properties),
        config.syntax,
        config.edges,
        config.density,
        config.shares,
        config.loss,
        config.batch,
        config.steps,
    )


def variant_of(config: Config, name: str) -> Setting:
    """The smallest language with one thing changed."""
    entities, properties = config.entities[0], config.properties[0]
    base = setting_of(config, entities, properties)
    more = replace(base.words, spare=3 * properties)
    optional = replace(base.words, adjectives=20)
    cut = replace(base, fragments=FRAGMENTS)
    return {
        "double batch": replace(base, batch=2 * base.batch),
        "spare tokens": replace(base, words=more),
        "fragments": cut,
        "fragments, no verbs": replace(cut, sentences="no verbs"),
        "fragments, one subject": replace(cut, sentences="one subject"),
        "shares of the text": replace(base, shares=(0.8, 0.1, 0.1)),
        "edges of the code": replace(base, edges="circulant", density=0.1),
        "words of the code": replace(base, words=optional, grammar=GRAMMARS["code"]),
        "loss of the code": replace(base, loss="line"),
    }[name]


def skeletons(grammar: Grammar, longest: int, sentences: str = "all") -> Skeletons:
    """The table that sentences are drawn from, the same for all seeds; or some kinds of it."""
    table = draw_skeletons(grammar, SKELETONS, longest, seeded(0, "skeletons"))
    if sentences == "all":
        return table
    pure = table.select(table.descriptive & ~table.relative)
    if sentences == "no verbs":
        return pure
    return pure.select((pure.slots == Slot.SUBJECT).sum(1) == 1)


def graph_of(setting: Setting, seed: int) -> ConstraintGraph:
    """One seed's constraint graph."""
    classes = setting.words.classes
    random = seeded(seed, "graph", classes.entities, classes.properties)
    if setting.edges == "circulant":
        return circulant_edges(classes, setting.density, CIRCULANT_VALUES, random)
    return random_edges(classes, setting.density, random, setting.fragments)


def language_of(config: Config, setting: Setting) -> tuple[Language, list[ConstraintGraph]]:
    """Sentences and constraint graphs of every seed."""
    graphs = [graph_of(setting, seed) for seed in config.seeds]
    table = skeletons(setting.grammar, config.longest)
    return Language(setting.words, graphs, table, config.torch_device), graphs


def train(config: Config, setting: Setting, name: str, progress: Progress) -> xr.Dataset:
    """One network per seed; dimensions seed, step and those of `Evaluator.TABLES`. Step 0 is the
    untrained network."""
    words, seeds, device = setting.words, list(config.seeds), config.torch_device
    language, graphs = language_of(config, setting)
    shown = skeletons(setting.grammar, config.longest, setting.sentences)
    condition = f"{words.classes.entities} x {words.classes.properties}"
    model = transformer(
        words.size,
        config.context,
        config.width,
        config.depth,
        config.heads,
        config.initial_std,
        [seeded(seed, "network", condition).initial_seed() % 2**31 for seed in seeds],
    ).to(device)
    taught = Language(words, graphs, shown, device)
    lines = LineSampler(taught, setting.shares, setting.batch, seeds, condition)
    sample = CoOccurrence(lines, words, len(seeds))
    evaluate = Evaluator(language, Kinds.of(graphs), config.test_lines, config.samples, seeds)
    training = TrainingConfig(
        setting.steps,
        setting.batch,
        config.learning_rate,
        final=1.0,
        warmup=config.warmup,
        betas=BETAS,
        weight_decay=1e-4,
        decayed="matrices",
    )
    at = log_spaced(setting.steps, config.checkpoints, first=config.first_checkpoint)

    def look(step: int, network: nn.Module) -> dict[str, np.ndarray]:
        assert isinstance(network, GPT)
        found = evaluate(network, step, sample.until(step))
        return {key: value.numpy() for key, value in found.items()}

    history = fit(
        model,
        sample,
        steps=training.steps,
        optimizer=training.optimizer(model),
        schedule=training.schedule(),
        clip=training.clip,
        checkpoints=at,
        on_checkpoint=look,
        loss=loss_of(setting.loss, config.context),
        progress=progress,
        name=name,
        acceleration=Acceleration(autocast=config.bfloat16 and device.type == "cuda"),
    )
    variables = {}
    for key in history.measured[0]:
        table = Evaluator.TABLES.get(key)
        axes = ("step", "seed", table[0]) if table else ("step", "seed")
        variables[key] = (axes, np.stack([history.measured[step][key] for step in at]))
    tables = {axis: list(names) for axis, names in Evaluator.TABLES.values()}
    data = xr.Dataset(variables, coords={"step": at, "seed": seeds, **tables})
    return data.astype("float32")


@stage(reads=LANGUAGE)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Every |E| with every |K|: dimensions entities, properties, seed, step ..."""
    rows = []
    join = partial(xr.concat, data_vars="all", coords="minimal", compat="equals")
    for entities in config.entities:
        row = []
        for properties in config.properties:
            name = f"|E| = {entities}, |K| = {properties}"
            row.append(train(config, setting_of(config, entities, properties), name, progress))
        rows.append(join(row, "properties").assign_coords(properties=list(config.properties)))
    data = join(rows, "entities").assign_coords(entities=list(config.entities))
    slots = skeletons(config.syntax, config.longest).slots
    data["mentions_per_step"] = config.batch * float(
        (slots == Slot.DESCRIPTOR).sum(1).double().mean()
    )
    data.attrs = {"classes": config.classes, "density": config.density, "batch": config.batch}
    return labelled(data, UNITS)


VARIED = (
    *("class_mass", "descriptor_mass", "syntax", "syntax_chance", "verb_share", "object_share"),
    *("odds", "odds_joined", "odds_apart", "never_odds", "exact", "all_conditions", "excess_loss"),
)


@stage(reads=(*LANGUAGE, "variants", "variant_steps"))
def variants(config: Config, progress: Progress) -> xr.Dataset:
    """The smallest language with one thing changed: dimensions variant, seed, step."""
    parts = []
    for name in config.variants:
        setting = replace(variant_of(config, name), steps=config.variant_steps)
        parts.append(train(config, setting, f"variant: {name}", progress)[list(VARIED)])
    data = xr.concat(parts, "variant", data_vars="all", coords="minimal", compat="equals")
    data = data.assign_coords(variant=list(config.variants))
    data.attrs = {"classes": config.classes, "density": config.density, "batch": config.batch}
    return labelled(data, UNITS)
