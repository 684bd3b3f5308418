"""Add a goal vector to a current-node vector, step to the nearest node: one attention layer's walk.

Axis letters: N nodes; g goal, c current node, x candidate.
"""

from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from synthcore.explorers.base import Explorer, bundle, checked, pack
from synthcore.explorers.shared.prefix_tree import path_counts


class GoalFieldExplorer(Explorer):
    """The simplified rule next = argmax_x S1[g, x] + S2[c, x], one step at a time.

    Choose a goal, by a click or from a list: every node takes the colour of its goal score
    S1[g, x]. Choose a start and step: the candidates with the highest sums are listed with both
    scores, whether there is an edge and how far they are from the goal; the walk is drawn, and a
    sentence says whether it left the graph, is on its way, or has arrived. A second panel holds the
    goal score against the distance to the goal, with their rank correlation. Distances, walks and
    correlations are computed in the browser.

    Args:
        goal_scores: (N, N), S1[g, x], the score of candidate x when the goal is g.
        step_scores: (N, N), S2[c, x], the score of candidate x when the current node is c.
        adjacency: (N, N), nonzero where there is an edge i -> j; a graph without cycles.
        coordinates: (N, 2), where to draw the nodes, any unit; the second axis points up.
        goal: node to start from as goal; None for a goal that most starts reach by the rule.
        start: node to start from; None for one from which the walk arrives in most steps.
        steps: how many steps are walked at first; None for all.

    `explorer.goal`, `.start` and `.steps` follow the reader when a kernel is running; -1 stands for
    the choices described above.

    Raises:
        ValueError: an array has the wrong shape or missing numbers, the graph has a cycle, or a
            node is out of range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/select.js",
        "shared/chart.js",
        "shared/graph.js",
        "goal_field/model.js",
        "goal_field/views.js",
        "goal_field/view.js",
    )
    _css = bundle(
        "shared/common.css", "shared/select.css", "shared/graph.css", "goal_field/style.css"
    )

    goal_scores = traitlets.Bytes(help="(N, N) float32: g, x").tag(sync=True)
    step_scores = traitlets.Bytes(help="(N, N) float32: c, x").tag(sync=True)
    coordinates = traitlets.Bytes(help="(N, 2) float32").tag(sync=True)
    edges = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    goal = traitlets.Int(help="-1: the browser chooses").tag(sync=True)
    start = traitlets.Int(help="-1: the browser chooses").tag(sync=True)
    steps = traitlets.Int(help="-1: to the end").tag(sync=True)

    def __init__(
        self,
        goal_scores: ArrayLike,
        step_scores: ArrayLike,
        adjacency: ArrayLike,
        coordinates: ArrayLike,
        *,
        goal: int | None = None,
        start: int | None = None,
        steps: int | None = None,
        **traits: Any,
    ) -> None:
        n = len(np.asarray(adjacency))
        edges = checked("adjacency", adjacency, (n, n)) != 0
        path_counts(edges)  # refuses a cycle
        arrays = {
            "goal_scores": checked("goal_scores", goal_scores, (n, n)),
            "step_scores": checked("step_scores", step_scores, (n, n)),
            "coordinates": checked("coordinates", coordinates, (n, 2)),
        }
        for name, array in arrays.items():
            if np.isnan(array).any():
                raise ValueError(f"{name} must have no missing numbers")
        for name, node in (("goal", goal), ("start", start)):
            if node is not None and not 0 <= node < n:
                raise ValueError(f"{name} must be a node below {n} (got {node})")
        if steps is not None and steps < 0:
            raise ValueError(f"steps must not be negative (got {steps})")
        super().__init__(
            **{name: pack(array) for name, array in arrays.items()},
            edges=np.argwhere(edges).tolist(),
            goal=-1 if goal is None else goal,
            start=-1 if start is None else start,
            steps=-1 if steps is None else steps,
            **traits,
        )
