"""What happens inside: selection in one layer, the layers of deep networks, and why displaced
functions fail; and the network written by hand, read in the same way.

Axis letters: M member, B documents, L positions, D sub-layers.
"""

from dataclasses import replace
from typing import Literal

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.evidence.dataset import labelled
from synthcore.interp.lens import sublayers
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.stages import stage
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import COMMON, Config
from synthcore.studies.compositional_capabilities.experiments.formats import (
    FORMAT_NAMES,
    random_subsets,
)
from synthcore.studies.compositional_capabilities.measure import accuracy, mechanism
from synthcore.studies.compositional_capabilities.model import build_transformer, train
from synthcore.studies.compositional_capabilities.task.documents import FORMATS, Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

EACH = 192  # documents with seen, and with unseen, compositions
BY_HAND = "step by step, by hand"
PLACES: tuple[Literal["learned", "rotary"], ...] = ("learned", "rotary")


@stage(reads=(*COMMON, "one_layer_n", "one_layer_steps"))
def one_layer(config: Config, progress: Progress) -> xr.Dataset:
    """One layer, one head, step by step: which task token does a block attend to, and is that the
    cause? Dimension model: trained, untrained, and written by hand."""
    tasks = random_subsets(config, "step", (config.one_layer_n,))
    network = config.network(config.one_layer_steps, depth=1, heads=1)
    untrained = read_attention(build_transformer(network, tasks), tasks)
    model = build_transformer(network, tasks)
    train(model, tasks, network, "one layer", progress)
    right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words, "in order")
    trained = read_attention(model, tasks)
    by_hand = xr.concat(
        [read_attention(hand_written(one), one) for one in each_alone(config)], "seed"
    )
    data = xr.concat([trained, untrained, by_hand], "model")
    data = data.assign_coords(model=["trained", "untrained", "by hand"])
    data["one_layer_seen"] = ("seed", accuracy.mean_over(right, tasks.seen).numpy())
    data["one_layer_unseen"] = ("seed", accuracy.mean_over(right, ~tasks.seen).numpy())
    return labelled(data, {})


def read_attention(model: GPT, tasks: MemberTasks) -> xr.Dataset:
    """Where the first layer looks while it writes, and whether answers follow patched functions: by
    seed, for tasks of one condition."""
    layout = tasks.layout
    attention = mechanism.mean_attention(
        model, layout, tasks.documents(*mechanism.sample_compositions(tasks, "attention"))
    )
    to_tasks = mechanism.attention_to_task_tokens(attention, layout)
    own_first = to_tasks.argmax(-1) == torch.arange(layout.positions)[:, None]  # (M, L, K)
    mass = mechanism.attention_to_own_task(to_tasks) + mechanism.attention_to_source(
        attention, layout
    )

    def by_seed(values: Float[Tensor, "M"]) -> tuple[str, object]:
        return "seed", values.cpu().double().numpy()

    return xr.Dataset(
        {
            "selected": by_seed(own_first.double().mean((1, 2))),
            "selected_mass": by_seed(mass.mean((1, 2))),
            "patched": by_seed(mechanism.patching_success(model, tasks)),
            "patched_value": by_seed(mechanism.patching_success(model, tasks, ("v",))),
            "attention": (("seed", "slot", "letter", "key"), attention.float().numpy()),
        },
        {"seed": list(tasks.seeds)},
    )


# --- written by hand ----------------------------------------------------------------------------


def each_alone(config: Config) -> list[MemberTasks]:
    """The task of every seed by itself."""
    condition = [Condition("random", (config.one_layer_n,))]
    cpu = torch.device("cpu")
    return [MemberTasks.draw(config.layout, "step", condition, [s], cpu) for s in config.seeds]


def hand_written(tasks: MemberTasks) -> GPT:
    """The network of one layer that computes the functions of these tasks of one member."""
    return theory.construct_one_layer(tasks.layout, tasks.functions.tables[0])


@stage(reads=(*COMMON, "one_layer_n", "cell_samples"))
def constructed(config: Config, progress: Progress) -> xr.Dataset:
    """Exact match of the network written by hand on samples of every cell of C: by seed."""
    right = []
    for tasks in each_alone(config):
        comps = torch.cat(
            [
                tasks.sample_cell(k, m, config.cell_samples, "by hand")
                for k, m in theory.cells(config.layout)
            ],
            1,
        )
        model = hand_written(tasks)
        found = accuracy.exact_match_on(model, tasks, comps, config.words, "by hand")
        right.append(float(found.mean()))
    return labelled(xr.Dataset({"constructed": ("seed", right)}, {"seed": list(config.seeds)}), {})


# --- deep networks ------------------------------------------------------------------------------

DEEP = ("deep_layers", "deep_width", "deep_heads", "deep_settings", "deep_steps")


@stage(reads=(*COMMON, "one_layer_n", *DEEP), seeds="deep_seeds")
def deep_networks(config: Config, progress: Progress) -> xr.Dataset:
    """At which sub-layer the answer stands, and which ones it needs: dimensions network, layers (of
    the network), known, seed, and sublayer or layer; both formats on the same compositions, and a
    network whose last layer is the one written by hand and whose others do nothing."""
    parts = []
    for depth in config.deep_layers:
        for format in FORMATS:
            network = config.deep_network(depth)
            tasks = random_subsets(config, format, (config.one_layer_n,))
            model = build_transformer(network, tasks)
            name = FORMAT_NAMES[format]
            train(model, tasks, network, f"{depth} layers, {name}", progress)
            parts.append(measure_layers(model, tasks).expand_dims(network=[name], layers=[depth]))
        by_hand = [
            measure_layers(theory.stacked_below(hand_written(tasks), depth - 1), tasks)
            for tasks in each_alone(config)
        ]
        whole = xr.concat(by_hand, "seed")
        parts.append(whole.expand_dims(network=[BY_HAND], layers=[depth]))
    data = xr.merge(parts, join="outer", compat="no_conflicts")
    order = [
        f"{part} {i}" for i in range(1, config.deep_layers[-1] + 1) for part in data.part.values
    ]
    data = data.reindex(sublayer=[data.sublayer.values[0], *order])
    return labelled(data, {"layer": "layers", "layers": "layers"})


def measure_layers(model: GPT, tasks: MemberTasks) -> xr.Dataset:
    """What can be read after every sub-layer, and what every sub-layer is needed for."""
    seen, unseen = (
        tasks.sample_in_order(allowed, EACH, purpose)
        for allowed, purpose in ((tasks.seen, "layers, seen"), (~tasks.seen, "layers, unseen"))
    )
    words = tasks.draw_words(2 * EACH, 1, "layers")[:, :, 0]
    lines = tasks.documents(torch.cat([seen, unseen], 1), words)
    places = tasks.layout.answer_places(tasks.format).flatten()

    def by_known(values: Tensor) -> Tensor:
        """(.., M, 2 EACH) as means (.., M, known)."""
        return values.double().unflatten(-1, (2, EACH)).mean(-1)

    whole = mechanism.correct_at(model, lines, places)
    ablated = mechanism.ablated_correct_at(model, lines, places)
    lens = mechanism.lens_correct_at(model, lines, places).mean(-1)  # (D, M, B)
    fitted: Bool[Tensor, B] = torch.arange(2 * EACH) % 2 == 0
    probe = mechanism.probe_sublayers(model, lines, places, fitted, tasks.layout.vocabulary)
    by_layer = ("part", "layer", "seed", "known")
    return xr.Dataset(
        {
            "deep_symbols": (("seed", "known"), by_known(whole.double().mean(-1)).numpy()),
            "deep_exact": (("seed", "known"), by_known(whole.all(-1)).numpy()),
            "lens": (("seed", "sublayer", "known"), by_known(lens.transpose(0, 1)).numpy()),
            "probe": (("seed", "sublayer"), probe.numpy()),
            "ablated_symbols": (by_layer, by_known(ablated.double().mean(-1)).numpy()),
            "ablated_exact": (by_layer, by_known(ablated.all(-1)).numpy()),
        },
        {
            "seed": list(tasks.seeds),
            "sublayer": list(sublayers(model)),
            "part": list(mechanism.PARTS),
            "layer": range(1, model.config.depth + 1),
            "known": ["seen", "unseen"],
        },
    )


# --- order bias ---------------------------------------------------------------------------------


@stage(
    reads=(*COMMON, "one_layer_n", "cell_samples", "bias_steps", "coverage"),
    seeds="further_seeds",
)
def order_bias(config: Config, progress: Progress) -> xr.Dataset:
    """Why displaced functions fail: is it the binding of a function to its slot? Dimensions places,
    displaced (training compositions) and seed.

    In-order training never shows function (d, i) at a slot other than d. What the network reads
    from the slot mixes token and place. So (i) without absolute places displaced accuracy should
    jump; (ii) a decoder of the function that is fitted on in-order slots should fail on displaced
    ones; (iii) a handful of displaced compositions that cover the (function, slot) pairs should
    suffice.
    """
    n, depth = config.one_layer_n, config.positions
    conditions = [
        Condition("randombase_combo", (n, m)) if m else Condition("base", (n,))
        for m in config.coverage
    ]
    tasks = MemberTasks.draw(config.layout, "step", conditions, config.seeds, config.torch_device)
    displaced = tasks.sample_cell(depth, depth, 4 * config.cell_samples, "order bias")
    in_order = tasks.sample_cell(depth, 0, config.cell_samples, "order bias")
    dims = ("displaced", "seed")
    parts = []
    for places in PLACES:
        network = replace(config.network(config.bias_steps), positions=places)
        model = build_transformer(network, tasks)
        train(model, tasks, network, f"order bias, {places}", progress)
        near = accuracy.exact_match_on(model, tasks, in_order, config.words, "near").mean(1)
        far = accuracy.exact_match_on(model, tasks, displaced, config.words, "far").mean(1)
        decoded = decoded_share(tasks, model)
        data = xr.Dataset(
            {
                "bias_near": (dims, tasks.by_seed(near).numpy()),
                "bias_far": (dims, tasks.by_seed(far).numpy()),
                "bias_decoded": (dims, tasks.by_seed(decoded).numpy()),
            }
        )
        parts.append(data.expand_dims(places=[places]))
    covered = torch.stack([covered_share(config.layout, subset) for subset in tasks.subsets])
    whole = xr.concat(parts, "places")
    whole["covered"] = (dims, tasks.by_seed(covered).numpy())
    whole = whole.assign_coords(displaced=list(config.coverage), seed=list(config.seeds))
    return labelled(whole, {"displaced": "compositions"})


def covered_share(layout: Layout, comps: Int[Tensor, "n L 2"]) -> Float[Tensor, ""]:
    """Share of the displaced (function, slot) pairs that a training subset shows."""
    pairs = set()
    for row in comps.tolist():
        pairs |= {(s, d, i) for s, (d, i) in enumerate(row) if i and d != s}
    size = layout.positions * (layout.positions - 1) * layout.functions
    return torch.tensor(len(pairs) / size, dtype=torch.float64)


@torch.no_grad()
def decoded_share(tasks: MemberTasks, model: GPT) -> Float[Tensor, "M"]:
    """Share of displaced functions that a linear decoder names right from what the first layer's
    attention reads at their slots (its values), fitted by ridge on in-order slots."""
    layout = tasks.layout
    depth = layout.positions
    every = tasks.in_order
    in_order = tasks.for_conditions(
        [
            every[torch.randperm(len(every), generator=seeded(seed, "decoder"))[:200]]
            for seed in tasks.seeds
        ]
    )
    displaced = tasks.sample_cell(depth, depth, 100, "decoder")

    def features_and_labels(comps: Int[Tensor, "M B L 2"]) -> tuple[Tensor, Tensor]:
        """Values (M, B L, width) at every slot, and which function (M, B L) stands there."""
        words = tasks.draw_words(comps.shape[1], 1, "decoder")[:, :, 0]
        with record(model, ["blocks.0.attn.hook_v"]) as seen:
            model(tasks.documents(comps, words)[..., :-1])
        value = seen["blocks.0.attn.hook_v"][:, :, layout.slot(1) : layout.slot(depth) + 1]
        labels = layout.task_tokens(comps).flatten(1).cpu() - layout.alphabet
        return value.flatten(3).flatten(1, 2).double().cpu(), labels

    features, labels = features_and_labels(in_order)
    decoder = mechanism.fit_decoder(features, labels, depth * layout.choices)
    features, labels = features_and_labels(displaced)
    return (mechanism.decode(decoder, features) == labels).double().mean(1)
