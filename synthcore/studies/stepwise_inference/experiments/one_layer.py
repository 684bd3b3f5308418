"""The one-layer mechanism: add a goal vector and a current-node vector, step to the nearest node.

Networks of one attention layer without an MLP are trained, and their two tables are read off the
weights. The last residual is e_c + p + sum_t a_t W_O W_V norm(e_t + p_t). If attention falls on the
goal and the current node only, the logit of node x is the sum of two tables,
S1[g, x] = a_g <W_O W_V norm(e_g + p_1), u_x> and S2[c, x] = <e_c + a_c W_O W_V norm(e_c + p), u_x>,
up to the positive factor of the final norm. u_x is the embedding times the final norm's gain.

Axis letters: M member, N nodes, D width, B contexts, T tokens, L places after the prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.stages import stage
from synthcore.studies.stepwise_inference.config import LINES, NETWORK, TRAINING, Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.experiments.navigation import (
    READS,
    evaluator,
    trained_network,
)
from synthcore.studies.stepwise_inference.measure.answers import Policy
from synthcore.studies.stepwise_inference.measure.evaluator import Evaluator, next_token_logits
from synthcore.studies.stepwise_inference.model import build, optimisation
from synthcore.studies.stepwise_inference.task.graphs import Graph, bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import (
    PROMPT_LENGTH,
    BatchSampler,
    LineSampler,
    random_split,
)
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

GOAL, START = 1, 2  # where the goal and the start stand in a prompt
PATTERN = "blocks.0.attn.hook_pattern"
LAST = (0.5, 0.75, 1.0)  # shares of the training at which the rule is read
TABLES = ("goal_scores", "step_scores")


@stage(
    reads=(
        *(*LINES, *NETWORK, *TRAINING, "test_pairs", "top_k"),
        *("mechanism_nodes", "mechanism_probability", "mechanism_share", "mechanism_steps"),
    )
)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Accuracies of network and rules, attention, and what the tables know: dimensions seed, step;
    the tables themselves are (seed, goal_node or current_node, candidate).

    Beside them the same of tables whose nodes were renamed at random, and of a policy that is the
    rule: `exact_kept` of its accuracy the best two tables keep.
    """
    device, seeds = config.torch_device, config.seeds
    graphs = [
        bernoulli_graph(config.mechanism_nodes, config.mechanism_probability, seeded(seed, 4))
        for seed in seeds
    ]
    splits = [
        random_split(g, config.mechanism_share, s) for g, s in zip(graphs, seeds, strict=True)
    ]
    test = evaluator(config, graphs, splits, seeds)
    lines = LineSampler(graphs, splits, config.mixture("step"), device)
    model = build(config.network(lines.vocabulary.size, depth=1, mlp_ratio=0), seeds, device)
    at = sorted({max(1, round(share * config.mechanism_steps)) for share in LAST})

    def measure(_: int, network: nn.Module) -> dict[str, np.ndarray]:
        assert isinstance(network, GPT)
        found = evaluate_rule(network, test, graphs)
        return {name: values.double().cpu().numpy() for name, values in found.items()}

    history = fit(
        model,
        BatchSampler(lines, config.batch, seeds, ["one layer"] * len(seeds)),
        checkpoints=at,
        on_checkpoint=measure,
        progress=progress,
        name="one layer",
        **optimisation(model, config, config.mechanism_steps),
    )
    last = history.measured[at[-1]]
    data = xr.Dataset(
        {
            name: (("step", "seed"), np.stack([history.measured[step][name] for step in at]))
            for name in last
            if name not in TABLES
        },
        {"step": at, "seed": list(seeds)},
    )
    data["exact_kept"] = (
        "seed",
        accuracy_kept_by_tables(additive_policy(graphs, device), test).numpy(),
    )
    of_goal, of_node = ("seed", "goal_node", "candidate"), ("seed", "current_node", "candidate")
    data["goal_scores"] = (of_goal, last["goal_scores"].astype(np.float32))
    data["step_scores"] = (of_node, last["step_scores"].astype(np.float32))
    adjacency = torch.stack([graph.adjacency for graph in graphs])
    data["mechanism_adjacency"] = (of_node, adjacency.numpy())
    distance = torch.stack([graph.distance for graph in graphs]).numpy()
    data["mechanism_distance"] = (of_node, distance.astype(np.int16))
    return labelled(data, UNITS)


@stage(reads=READS)
def two_layers(config: Config, progress: Progress) -> xr.Dataset:
    """How much of the two-layer networks' next-edge accuracy the best two tables keep."""
    model, here = trained_network(config, progress)
    kept = accuracy_kept_by_tables(model, here.evaluator)
    data = xr.Dataset(
        {"two_layer_kept": ("seed", kept.cpu().numpy())}, {"seed": list(config.seeds)}
    )
    return labelled(data, UNITS)


@dataclass(frozen=True)
class AdditivePolicy:
    """The rule itself: logits of a next node are a table of the goal plus a table of the last node;
    at the goal it says `path`, then it ends. (M, N, N) each."""

    goal: Float[Tensor, "M N N"]
    step: Float[Tensor, "M N N"]

    def __call__(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        n = self.goal.shape[-1]
        member = torch.arange(len(tokens), device=tokens.device)[:, None, None]
        goal = (tokens[..., 1:2] - 1).expand_as(tokens)
        node = tokens - 1
        on_node = (node >= 0) & (node < n)
        logits = torch.full((*tokens.shape, n + 5), -1e4, device=tokens.device)
        inside = node.clamp(0, n - 1)
        logits[..., 1 : n + 1] = self.goal[member, goal] + self.step[member, inside]
        arrived = on_node & (node == goal)
        logits[..., n + 2] = torch.where(arrived, 1e4, -1e4)
        logits[..., n + 4] = torch.where(on_node, -1e4, 1e5)
        return logits


def additive_policy(graphs: Sequence[Graph], device: torch.device | str = "cpu") -> AdditivePolicy:
    """Nodes are the better the nearer they are to the goal, and children only are stepped to."""
    distance = torch.stack([graph.distance.T for graph in graphs]).float()  # (M, goal, node)
    near = torch.where(distance < 0, -50.0, -distance)
    children = torch.stack([graph.adjacency for graph in graphs])
    return AdditivePolicy(near.to(device), torch.where(children, 0.0, -100.0).to(device))


@dataclass(frozen=True)
class Tables:
    """Images of goals and of current nodes in the space of next nodes, before attention weighs
    them: `goal[g, x]`, `current[c, x]` by attention and `residual[c, x]` past it."""

    goal: Float[Tensor, "M N N"]
    current: Float[Tensor, "M N N"]
    residual: Float[Tensor, "M N N"]


@torch.no_grad()
def read_tables(model: GPT, nodes: int, last_place: int) -> Tables:
    """The three images; position vectors of current nodes are averaged over places 2..last."""
    assert model.pos_embed is not None
    embedding = model.embed.weight[:, 1 : nodes + 1]  # (M, N, D)
    gain = model.ln_final.weight[:, :, 0] * embedding
    unembedding = (gain - gain.mean(-1, keepdim=True)).mT  # the norm removes the mean over D
    block, D = model.blocks[0], model.config.width
    value, output = block.attn.qkv.weight[:, :, 2 * D :], block.attn.out.weight

    def image(position: Float[Tensor, "M one D"]) -> Float[Tensor, "M N N"]:
        normalised = block.ln1((embedding + position)[:, None])[:, 0]
        return normalised @ value @ output @ unembedding

    on_path = model.pos_embed[:, 0, START : last_place + 1].mean(1, keepdim=True)
    return Tables(
        image(model.pos_embed[:, :, GOAL].view(model.members, 1, D)),
        image(on_path),
        (embedding + on_path) @ unembedding,
    )


@torch.no_grad()
def evaluate_rule(
    model: GPT, evaluator: Evaluator, graphs: Sequence[Graph]
) -> dict[str, Float[Tensor, "M *rest"]]:
    """Accuracy of the full model's next node, of the rule with constant and with each context's own
    attention weights; attention on {goal, current}; what S1 and S2 know of the graph; and the
    tables with constant weights, `goal_scores` (S1) and `step_scores` (S2): (M, N, N)."""
    nodes = evaluator.vocabulary.nodes
    with record(model, [PATTERN]) as activations:
        logits = next_token_logits(model, evaluator.lines)[..., 1 : nodes + 1]
    pattern = activations[PATTERN][:, :, 0, PROMPT_LENGTH - 1 :]  # (M, B, L, T)
    node, goal, before_goal = evaluator.places()
    places = torch.arange(START, START + node.shape[2], device=node.device)
    on_goal = pattern[..., GOAL]
    on_current = pattern.gather(-1, places.view(1, 1, -1, 1).expand(*node.shape, 1))[..., 0]
    weight = evaluator.place_weight(before_goal)
    tables = read_tables(model, nodes, int(evaluator.lines.shape[-1]) - 2)
    member = torch.arange(model.members, device=node.device)[:, None, None]

    def score(on_goal: Tensor, on_current: Tensor) -> Tensor:
        s1 = tables.goal[member, goal] * on_goal[..., None]
        attended = tables.current[member, node] * on_current[..., None]
        return s1 + (attended + tables.residual[member, node])

    mean_goal = (on_goal * weight).sum((1, 2))[:, None, None].expand_as(on_goal)
    mean_current = (on_current * weight).sum((1, 2))[:, None, None].expand_as(on_goal)
    next_nodes = {
        "full_accuracy": logits.argmax(-1),
        "rule_accuracy": score(on_goal, on_current).argmax(-1),
        "constant_rule_accuracy": score(mean_goal, mean_current).argmax(-1),
        "additive_accuracy": fit_two_tables(logits, node, goal, before_goal).argmax(-1),
    }
    orders = [torch.randperm(nodes, generator=g) for g in evaluator.random("rename")]
    renamed = torch.stack(orders).to(logits.device)
    by_renamed = score(on_goal, on_current).gather(-1, renamed[:, None, None].expand_as(logits))
    next_nodes["renamed_rule_accuracy"] = by_renamed.argmax(-1)
    measured = {
        name: (evaluator.adjacency[member, node, next_node] * weight).sum((1, 2)).double()
        for name, next_node in next_nodes.items()
    }
    agree = next_nodes["rule_accuracy"] == next_nodes["full_accuracy"]
    measured["rule_agreement"] = (agree * weight).sum((1, 2)).double()
    measured["attention_mass"] = ((on_goal + on_current) * weight).sum((1, 2)).double()
    s1 = tables.goal * mean_goal[:, :1, 0, None]
    s2 = tables.current * mean_current[:, :1, 0, None] + tables.residual
    measured["distance_correlation"] = torch.tensor(
        [distance_correlation(g, scores) for g, scores in zip(graphs, s1.cpu(), strict=True)]
    )
    measured["adjacency_auc"] = torch.tensor(
        [adjacency_auc(g, scores) for g, scores in zip(graphs, s2.cpu(), strict=True)]
    )
    measured["goal_scores"], measured["step_scores"] = s1, s2
    return measured


def fit_two_tables(
    logits: Float[Tensor, "M B L N"],
    node: Int[Tensor, "M B L"],
    goal: Int[Tensor, "M B L"],
    before_goal: Bool[Tensor, "M B L"],
) -> Float[Tensor, "M B L N"]:
    """The best table of the goal plus table of the current node, by least squares on the places
    before the goal: any network's logits projected on the form of the rule; 0 elsewhere."""
    n = logits.shape[-1]
    projected = torch.zeros_like(logits)
    for m, use in enumerate(before_goal):
        design = torch.cat(
            [torch.nn.functional.one_hot(part[m][use], n) for part in (node, goal)], -1
        ).double()
        ridge = design.mT @ design + 1e-2 * torch.eye(2 * n, dtype=torch.float64).to(design)
        targets = logits[m][use].double()
        targets = targets - targets.mean(-1, keepdim=True)
        tables = torch.linalg.solve(ridge, design.mT @ targets)
        projected[m][use] = (design @ tables).to(projected.dtype)
    return projected


@torch.no_grad()
def accuracy_kept_by_tables(policy: Policy, evaluator: Evaluator) -> Float[Tensor, "M"]:
    """Share of a policy's next-edge accuracy that the best two tables keep."""
    nodes = evaluator.vocabulary.nodes
    logits = next_token_logits(policy, evaluator.lines)[..., 1 : nodes + 1]
    node, goal, before_goal = evaluator.places()
    member = torch.arange(len(node), device=node.device)[:, None, None]
    weight = evaluator.place_weight(before_goal)
    by_tables, by_policy = (
        (evaluator.adjacency[member, node, scores.argmax(-1)] * weight).sum((1, 2)).double()
        for scores in (fit_two_tables(logits, node, goal, before_goal), logits)
    )
    return (by_tables / by_policy).cpu()


def distance_correlation(graph: Graph, goal_scores: Float[Tensor, "N N"]) -> float:
    """Spearman correlation of S1[g, x] with minus the distance from x to g, over the nodes x that
    lead to g, averaged over goals to which nodes lead from different distances.

    Goal by goal: the level of a goal's scores shifts all its candidates alike and says nothing.
    """
    found = []
    for g in range(graph.nodes):
        x = graph.reachable[:, g].nonzero().flatten()
        distance, scores = -graph.distance[x, g].numpy(), goal_scores[g, x].numpy()
        if len(x) >= 4 and np.ptp(distance) > 0 and np.ptp(scores) > 0:
            found.append(float(stats.spearmanr(scores, distance).statistic))
    return float(np.mean(found)) if found else np.nan


def adjacency_auc(graph: Graph, step_scores: Float[Tensor, "N N"]) -> float:
    """Mean over current nodes of the AUC with which S2[c, x] tells children from other nodes."""
    areas = [
        roc_auc_score(edges.numpy(), scores.numpy())
        for edges, scores in zip(graph.adjacency, step_scores, strict=True)
        if bool(edges.any())
    ]
    return float(np.mean(areas))
