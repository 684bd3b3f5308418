"""The one-layer mechanism: add a goal vector and a current-node vector, step to the nearest node.

Without an MLP the last residual is e_c + p + sum_t a_t W_O W_V norm(e_t + p_t). If attention falls
on the goal and the current node only, the logit of node x is the sum of two tables,
S1[g, x] = a_g <W_O W_V norm(e_g + p_1), u_x> and S2[c, x] = <e_c + a_c W_O W_V norm(e_c + p), u_x>,
up to the positive factor of the final norm. u_x is the embedding times the final norm's gain.

Axis letters: M member, N nodes, D width, B contexts, T tokens, L places after the prompt.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.stepwise_inference.graphs import Graph
from synthcore.studies.stepwise_inference.measure import Examination
from synthcore.studies.stepwise_inference.task import PAD, PROMPT

GOAL, PLACE = 1, 2  # where the goal and the start stand in a prompt


@dataclass(frozen=True)
class Tables:
    """Images of goals and of current nodes in the space of next nodes, before attention weighs
    them: `goal[g, x]`, `current[c, x]` by attention and `residual[c, x]` past it."""

    goal: Float[Tensor, "M N N"]
    current: Float[Tensor, "M N N"]
    residual: Float[Tensor, "M N N"]


@torch.no_grad()
def tables(model: GPT, nodes: int, last_place: int) -> Tables:
    """The three images; position vectors of current nodes are averaged over places 2..last."""
    assert model.pos_embed is not None
    embedding = model.embed.weight[:, 1 : nodes + 1]  # (M, N, D)
    gain = model.ln_final.weight[:, :, 0] * embedding
    read = (gain - gain.mean(-1, keepdim=True)).mT  # the norm removes the mean over D
    block, D = model.blocks[0], model.config.width
    value, output = block.attn.qkv.weight[:, :, 2 * D :], block.attn.out.weight

    def image(place: Float[Tensor, "M one D"]) -> Float[Tensor, "M N N"]:
        normed = block.ln1((embedding + place)[:, None])[:, 0]
        return normed @ value @ output @ read

    here = model.pos_embed[:, 0, PLACE : last_place + 1].mean(1, keepdim=True)
    return Tables(
        image(model.pos_embed[:, :, GOAL].view(model.members, 1, D)),
        image(here),
        (embedding + here) @ read,
    )


def inner_contexts(exam: Examination) -> tuple[Tensor, Tensor, Tensor]:
    """Places on the test paths before the goal: current node, goal (both clamped), and which
    places count."""
    inputs = exam.lines[..., 2:-1]
    goal = (exam.lines[..., 1:2] - 1).expand_as(inputs)
    node = inputs - 1
    inside = (inputs > PAD) & (inputs <= exam.words.nodes) & (node != goal)
    return node.clamp(0, exam.words.nodes - 1), goal, inside


@torch.no_grad()
def examine(model: GPT, exam: Examination, graphs: list[Graph]) -> dict[str, Float[Tensor, "M"]]:
    """Accuracy of the full model's next node, of the rule with constant and with each context's own
    attention weights; attention on {goal, current}; what S1 and S2 know of the graph."""
    words, members = exam.words, model.members
    with record(model, ["blocks.0.attn.hook_pattern"]) as seen:
        logits = model(exam.lines[..., :-1])[:, :, PROMPT - 1 :, 1 : words.nodes + 1]
    pattern = seen["blocks.0.attn.hook_pattern"][:, :, 0, PROMPT - 1 :]  # (M, B, L, T)
    node, goal, inside = inner_contexts(exam)
    places = torch.arange(PLACE, PLACE + node.shape[2], device=node.device)
    on_goal = pattern[..., GOAL]
    on_current = pattern.gather(-1, places.view(1, 1, -1, 1).expand(*node.shape, 1))[..., 0]
    weight = inside / inside.sum((1, 2), keepdim=True)
    found = tables(model, words.nodes, int(exam.lines.shape[-1]) - 2)
    member = torch.arange(members, device=node.device)[:, None, None]

    def score(goals: Tensor, currents: Tensor) -> Tensor:
        s1 = found.goal[member, goal] * goals[..., None]
        s2 = found.current[member, node] * currents[..., None] + found.residual[member, node]
        return s1 + s2

    mean_goal = (on_goal * weight).sum((1, 2))[:, None, None].expand_as(on_goal)
    mean_current = (on_current * weight).sum((1, 2))[:, None, None].expand_as(on_goal)
    chosen = {
        "full_accuracy": logits.argmax(-1),
        "rule_accuracy": score(on_goal, on_current).argmax(-1),
        "constant_rule_accuracy": score(mean_goal, mean_current).argmax(-1),
        "additive_accuracy": additive(logits, node, goal, inside).argmax(-1),
    }
    out = {
        name: (exam.adjacency[member, node, next_] * weight).sum((1, 2)).double()
        for name, next_ in chosen.items()
    }
    agree = chosen["rule_accuracy"] == chosen["full_accuracy"]
    out["rule_agreement"] = (agree * weight).sum((1, 2)).double()
    out["attention_mass"] = ((on_goal + on_current) * weight).sum((1, 2)).double()
    s1 = found.goal * mean_goal[:, :1, 0, None]
    s2 = found.current * mean_current[:, :1, 0, None] + found.residual
    pairs = list(zip(graphs, s1.cpu(), s2.cpu(), strict=True))
    out["distance_correlation"] = torch.tensor([distance_correlation(g, a) for g, a, _ in pairs])
    out["adjacency_auc"] = torch.tensor([adjacency_auc(g, b) for g, _, b in pairs])
    out["goal_scores"], out["step_scores"] = s1, s2
    return out


def additive(
    logits: Float[Tensor, "M B L N"],
    node: Int[Tensor, "M B L"],
    goal: Int[Tensor, "M B L"],
    inside: Bool[Tensor, "M B L"],
) -> Float[Tensor, "M B L N"]:
    """The best table of the goal plus table of the current node, by least squares on these
    contexts: any network's logits projected on the form of the rule."""
    members, n = len(logits), logits.shape[-1]
    out = torch.zeros_like(logits)
    for m in range(members):
        use = inside[m]
        design = torch.cat(
            [torch.nn.functional.one_hot(part[m][use], n) for part in (node, goal)], -1
        ).double()
        ridge = design.mT @ design + 1e-2 * torch.eye(2 * n, dtype=torch.float64).to(design)
        wanted = logits[m][use].double()
        wanted = wanted - wanted.mean(-1, keepdim=True)
        fit = torch.linalg.solve(ridge, design.mT @ wanted)
        out[m][use] = (design @ fit).to(out.dtype)
    return out


def two_tables(model: GPT, exam: Examination) -> Float[Tensor, "M"]:
    """Share of the network's next-edge accuracy that the best two tables keep."""
    with torch.no_grad():
        logits = model(exam.lines[..., :-1])[:, :, PROMPT - 1 :, 1 : exam.words.nodes + 1]
    node, goal, inside = inner_contexts(exam)
    member = torch.arange(len(node), device=node.device)[:, None, None]
    right = [
        (exam.adjacency[member, node, scores.argmax(-1)] & inside).sum((1, 2)).double()
        for scores in (additive(logits, node, goal, inside), logits)
    ]
    return right[0] / right[1]


def distance_correlation(graph: Graph, goal_scores: Float[Tensor, "N N"]) -> float:
    """Spearman correlation of S1[g, x] with minus the distance from x to g, where there is one."""
    x, g = graph.reachable.nonzero().unbind(1)
    found = stats.spearmanr(goal_scores[g, x].numpy(), -graph.distance[x, g].numpy())
    return float(found.statistic)


def adjacency_auc(graph: Graph, step_scores: Float[Tensor, "N N"]) -> float:
    """Mean over current nodes of the AUC with which S2[c, x] tells children from other nodes."""
    found = [
        roc_auc_score(edges.numpy(), scores.numpy())
        for edges, scores in zip(graph.adjacency, step_scores, strict=True)
        if bool(edges.any())
    ]
    return float(np.mean(found))
