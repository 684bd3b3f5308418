"""What stands beside the networks and is measured by the same evaluator: the exact algorithm and
shortcuts, as modules from tokens to logits.

A policy reads the composition off the prompt, takes another in its place, and computes: block by
block from the block that stands before, or at once.

Axis letters: M member, B batch, T tokens, V vocabulary, L positions, K word length.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.studies.compositional_capabilities.task.documents import compose
from synthcore.studies.compositional_capabilities.task.members import MemberTasks

Comps = Int[Tensor, "B L 2"]
Reading = Callable[[MemberTasks, int, Comps], Comps]


class Policy(nn.Module):
    """Answers as if every composition were what `reading(tasks, member, compositions)` makes of it.

    Of whole documents without their last token, as `exact_match` gives them.
    """

    def __init__(self, tasks: MemberTasks, reading: Reading) -> None:
        super().__init__()
        self.tasks, self.reading = tasks, reading

    def forward(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        """1 for the next token, 0 for all others; nothing is claimed about the prompt."""
        layout, tasks = self.tasks.layout, self.tasks
        named = tokens[..., 1 : 1 + layout.positions] - layout.alphabet
        comps = torch.stack([named // layout.choices, named % layout.choices], -1)
        taken = torch.stack([self.reading(tasks, m, one) for m, one in enumerate(comps)])
        whole = tokens.new_full((*tokens.shape[:2], tokens.shape[2] + 1), layout.separator)
        places = layout.answer_places(tasks.format)
        if tasks.format == "direct":
            words = tokens[..., layout.start(0) : layout.start(0) + layout.word]
            whole[..., places[0]] = compose(tasks.functions, words, taken)[..., -1, :]
        else:
            for block, at in enumerate(places):
                before = tokens[..., at - layout.word - 1]
                one = taken[..., block : block + 1, :]
                whole[..., at] = compose(tasks.functions, before, one)[..., 0, :]
        return functional.one_hot(whole[..., 1:], layout.vocabulary).float()


def exact(tasks: MemberTasks, member: int, comps: Comps) -> Comps:
    """The algorithm: every function as it is named."""
    return comps


def memoriser(tasks: MemberTasks, member: int, comps: Comps) -> Comps:
    """The best shortcut: the trained composition that has most of its functions in common, the
    first of several."""
    trained = tasks.subsets[member].to(comps.device)
    common = (comps[:, None] == trained[None]).all(-1).sum(-1)  # (B, t)
    return trained[common.argmax(-1)]


def own_position(tasks: MemberTasks, member: int, comps: Comps) -> Comps:
    """Functions are bound to their slots: in place of a displaced one stands the slot's own of the
    same index."""
    slots = torch.arange(comps.shape[1], device=comps.device).expand(comps.shape[:2])
    return torch.stack([slots, comps[..., 1]], -1)


def all_but_one(tasks: MemberTasks, member: int, comps: Comps) -> Comps:
    """`own_position`, unless training shows displaced functions: then they are read right wherever
    they stand, but for the last function of the last position."""
    subset = tasks.subsets[member]
    bound = own_position(tasks, member, comps)
    if bool((subset[..., 0] == torch.arange(subset.shape[1])).all()):
        return bound
    layout = tasks.layout
    last = (comps[..., 0] == layout.positions - 1) & (comps[..., 1] == layout.functions)
    return torch.where(last[..., None], bound, comps)


POLICIES: Mapping[str, Reading] = {
    "exact": exact,
    "memoriser": memoriser,
    "own position": own_position,
    "all but one": all_but_one,
}
