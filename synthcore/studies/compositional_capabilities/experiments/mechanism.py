"""What happens inside: selection in one layer, the layers of deep networks, and why displaced
functions fail.

Axis letters: M member, B documents, L positions, D sub-layers.
"""

from dataclasses import replace
from typing import Literal

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.interp.lens import sublayers
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.experiments.formats import (
    FAMILIES,
    random_subsets,
)
from synthcore.studies.compositional_capabilities.measure import accuracy, mechanism
from synthcore.studies.compositional_capabilities.model import (
    NetworkConfig,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks, draw_generator
from synthcore.studies.compositional_capabilities.task.subsets import Condition, draw_cell
from synthcore.training.progress import Progress

EACH = 192  # documents with seen, and with unseen, compositions
COMMUTING = "permutation, bijection"
PLACES: tuple[Literal["learned", "rotary"], ...] = ("learned", "rotary")


def one_layer(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """One layer, one head, step by step: which task token does a block attend to, and is that the
    cause? Attention by block, mass, patching and accuracy."""
    tasks = random_subsets(config, "step", (config.one_layer_n,))
    model = build_transformer(config.one_layer_network, tasks)
    train(model, tasks, config.one_layer_network, "one layer", progress)
    right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words)
    attention = mechanism.mean_attention(
        model, tasks.layout, tasks.documents(*mechanism.sample_compositions(tasks, 0))
    )
    to_tasks = mechanism.attention_to_task_tokens(attention, tasks.layout)
    own_first = to_tasks.argmax(-1) == torch.arange(config.positions)[:, None]  # (M, L, K)
    mass = mechanism.attention_to_own_task(to_tasks) + mechanism.attention_to_source(
        attention, tasks.layout
    )

    def by_seed(values: Float[Tensor, "M"]) -> tuple[str, object]:
        return "seed", values.cpu().double().numpy()

    return xr.Dataset(
        {
            "one_layer_unseen": by_seed(accuracy.mean_over(right, ~tasks.seen)),
            "selected": by_seed(own_first.double().mean((1, 2))),
            "selected_mass": by_seed(mass.mean((1, 2))),
            "patched": by_seed(mechanism.patching_success(model, tasks)),
            "patched_value": by_seed(mechanism.patching_success(model, tasks, ("v",))),
            "attention": (("seed", "slot", "letter", "key"), attention.numpy()),
        },
        {"seed": list(config.seeds)},
    )


# --- deep networks ------------------------------------------------------------------------------


def deep_networks(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """At which sub-layer the answer stands, and which ones it needs: dimensions network, known,
    seed, and sublayer or layer.

    Three populations of the same shape: step by step, direct, and the two-slot task directly, where
    unseen pairs are answered too.
    """
    pairs = Layout(2, config.slot_functions, config.alphabet, config.word)
    condition = Condition("random", (config.slot_decides,))
    two_slots = MemberTasks.draw(
        pairs, "direct", [condition], config.seeds, config.torch_device, FAMILIES[COMMUTING]
    )
    one = (config.one_layer_n,)
    cases: dict[str, tuple[MemberTasks, NetworkConfig]] = {
        "step by step": (random_subsets(config, "step", one), config.matched_network),
        "at once": (random_subsets(config, "direct", one), config.direct_network),
        "two slots, at once": (two_slots, config.slot_network),
    }
    parts = []
    for name, (tasks, shallow) in cases.items():
        network = replace(shallow, depth=config.deep_layers, steps=config.deep_steps)
        model = build_transformer(network, tasks)
        train(model, tasks, network, f"{config.deep_layers} layers, {name}", progress)
        parts.append(measure_layers(model, tasks).expand_dims(network=[name]))
    return xr.concat(parts, "network")


def measure_layers(model: GPT, tasks: MemberTasks) -> xr.Dataset:
    """What can be read after every sub-layer, and what every sub-layer is needed for."""
    seen, unseen = (
        tasks.sample_in_order(allowed, EACH, purpose)
        for allowed, purpose in ((tasks.seen, 50), (~tasks.seen, 51))
    )
    words = tasks.draw_words(2 * EACH, 1, 52)[:, :, 0]
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


def order_bias(config: Config, progress: Progress | None = None) -> xr.Dataset:
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
    random = draw_generator(config.seed, 40), draw_generator(config.seed, 41)
    displaced = draw_cell(config.layout, depth, depth, 4 * config.cell_samples, random[0])
    in_order = draw_cell(config.layout, depth, 0, config.cell_samples, random[1])
    dims = ("displaced", "seed")
    parts = []
    for places in PLACES:
        network = replace(config.step_network, steps=config.bias_steps, positions=places)
        model = build_transformer(network, tasks)
        train(model, tasks, network, f"order bias, {places}", progress)
        near = accuracy.exact_match_on(model, tasks, in_order, config.words, 42).mean(1)
        far = accuracy.exact_match_on(model, tasks, displaced, config.words, 43).mean(1)
        decoded = decoded_share(config, tasks, model)
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
    return whole.assign_coords(displaced=list(config.coverage), seed=list(config.seeds))


def covered_share(layout: Layout, comps: Int[Tensor, "n L 2"]) -> Float[Tensor, ""]:
    """Share of the displaced (function, slot) pairs that a training subset shows."""
    pairs = set()
    for row in comps.tolist():
        pairs |= {(s, d, i) for s, (d, i) in enumerate(row) if i and d != s}
    size = layout.positions * (layout.positions - 1) * layout.functions
    return torch.tensor(len(pairs) / size, dtype=torch.float64)


@torch.no_grad()
def decoded_share(config: Config, tasks: MemberTasks, model: GPT) -> Float[Tensor, "M"]:
    """Share of displaced functions that a linear decoder names right from what the first layer's
    attention reads at their slots (its values), fitted by ridge on in-order slots."""
    layout, depth = config.layout, config.positions
    order = torch.randperm(len(tasks.in_order), generator=draw_generator(config.seed, 44))
    in_order = tasks.in_order[order[:200]]
    displaced = draw_cell(layout, depth, depth, 100, draw_generator(config.seed, 45))

    def features_and_labels(comps: Tensor) -> tuple[Tensor, Tensor]:
        """Values (M, B L, width) at every slot, and which function (B L,) stands there."""
        words = tasks.draw_words(len(comps), 1, 46)[:, :, 0]
        with record(model, ["blocks.0.attn.hook_v"]) as seen:
            model(tasks.documents(tasks.for_members(comps), words)[..., :-1])
        value = seen["blocks.0.attn.hook_v"][:, :, layout.slot(1) : layout.slot(depth) + 1]
        labels = layout.task_tokens(comps).flatten() - layout.alphabet
        return value.flatten(3).flatten(1, 2).double().cpu(), labels

    features, labels = features_and_labels(in_order)
    decoder = mechanism.fit_decoder(
        features, labels.expand(tasks.members, -1), depth * layout.choices
    )
    features, labels = features_and_labels(displaced)
    return (mechanism.decode(decoder, features) == labels).double().mean(1)
