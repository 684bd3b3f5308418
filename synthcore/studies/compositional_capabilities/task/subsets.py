"""Which compositions are trained on.

| name | compositions |
|---|---|
| `random n` | n different in-order ones, uniform |
| `base` | all with at most one function that is not the identity: 1 + L N |
| `base n` | these and n other in-order ones |
| `random_biased n j` | n in-order ones with exactly j identities |
| `random_combo n` | the all-identity one and n in which every position is displaced |
| `base_combo n` | base and n all-displaced ones |
| `randombase_combo n m` | base, n other in-order and m all-displaced ones |

The official code draws the indices of displaced functions from 0 .. N - 1: it includes the identity
and never shows the last function of a position elsewhere. `as_released=True` does the same;
otherwise indices are 1 .. N. Source: Ramesh et al. 2024, official code.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.studies.compositional_capabilities.task.documents import (
    Layout,
    in_order_compositions,
)

NUMBERS = {
    "random": 1,
    "base": (0, 1),
    "random_biased": 2,
    "random_combo": 1,
    "base_combo": 1,
    "randombase_combo": 2,
}
Comps = Int[Tensor, "_ L 2"]


@dataclass(frozen=True)
class Condition:
    """What one group of members is trained on, as it is written in the parameters.

    `repeat random 50`: all positions share their functions. `random 50, all tokens`: the loss
    counts the prompt too. `base_combo 50, code`: with the index range of the official code.
    """

    kind: str
    numbers: tuple[int, ...] = ()
    repeat: bool = False
    all_tokens: bool = False
    as_released: bool = False

    @staticmethod
    def parse(text: str) -> "Condition":
        """
        >>> Condition.parse("repeat random 50")
        Condition(kind='random', numbers=(50,), repeat=True, all_tokens=False, as_released=False)

        Raises:
            ValueError: there is no such subset, or it needs other numbers.
        """
        head, *flags = (part.strip() for part in text.split(","))
        words = head.split()
        repeat = words[:1] == ["repeat"]
        kind, *rest = words[repeat:] or [""]
        if kind not in NUMBERS or not all(part.isdigit() for part in rest):
            raise ValueError(f"{text!r} is no training subset; there are {', '.join(NUMBERS)}")
        takes = NUMBERS[kind]
        if len(rest) not in (takes if isinstance(takes, tuple) else (takes,)):
            raise ValueError(f"{text!r}: {kind} takes {takes} number(s)")
        if unknown := set(flags) - {"all tokens", "code"}:
            raise ValueError(f"{text!r}: unknown {sorted(unknown)}; there are all tokens, code")
        numbers = tuple(int(part) for part in rest)
        return Condition(kind, numbers, repeat, "all tokens" in flags, "code" in flags)

    @property
    def text(self) -> str:
        """How it is written in the parameters.

        >>> Condition("random", (50,), repeat=True, all_tokens=True).text
        'repeat random 50, all tokens'
        """
        head = " ".join((*("repeat",) * self.repeat, self.kind, *map(str, self.numbers)))
        return ", ".join((head, *("all tokens",) * self.all_tokens, *("code",) * self.as_released))

    def draw(self, layout: Layout, generator: torch.Generator) -> Comps:
        """The compositions of one member.

        Raises:
            ValueError: the subset is larger than the set it is drawn from.
        """
        first, second = (*self.numbers, 0, 0)[:2]
        if self.kind == "random":
            return draw_in_order(layout, first, generator)
        if self.kind == "random_biased":
            return draw_in_order(layout, first, generator, identities=second)
        if self.kind == "random_combo":
            moved = draw_displaced(layout, first, generator, self.as_released)
            return torch.cat([base_compositions(layout)[:1], moved])
        others = first if self.kind in ("base", "randombase_combo") else 0
        displaced = second if self.kind == "randombase_combo" else first
        parts = [base_compositions(layout), draw_beyond_base(layout, others, generator)]
        if self.kind != "base":
            parts.append(draw_displaced(layout, displaced, generator, self.as_released))
        return torch.cat(parts)

    def size(self, layout: Layout) -> int:
        """Compositions in the subset."""
        fixed = {"random": 0, "random_biased": 0, "random_combo": 1}
        always = fixed.get(self.kind, 1 + layout.positions * layout.functions)
        drawn = self.numbers[:1] if self.kind == "random_biased" else self.numbers
        return always + sum(drawn)


def _choose(comps: Comps, n: int, generator: torch.Generator, name: str) -> Comps:
    """n different ones of these.

    Raises:
        ValueError: there are fewer than n.
    """
    if not 0 <= n <= len(comps):
        raise ValueError(f"cannot draw {n} of the {len(comps)} {name} compositions")
    return comps[torch.randperm(len(comps), generator=generator)[:n]]


def draw_in_order(
    layout: Layout, n: int, generator: torch.Generator, identities: int | None = None
) -> Comps:
    """n different in-order compositions, with a fixed number of identities if one is given."""
    every = in_order_compositions(layout)
    if identities is None:
        return _choose(every, n, generator, "in-order")
    chosen = every[(every[..., 1] == 0).sum(-1) == identities]
    return _choose(chosen, n, generator, f"in-order ({identities} identities)")


def base_compositions(layout: Layout) -> Comps:
    """All in-order compositions of at most one function; the all-identity one is first."""
    every = in_order_compositions(layout)
    return every[(every[..., 1] > 0).sum(-1) <= 1]


def draw_beyond_base(layout: Layout, n: int, generator: torch.Generator) -> Comps:
    """n different in-order compositions of two or more functions."""
    every = in_order_compositions(layout)
    return _choose(every[(every[..., 1] > 0).sum(-1) > 1], n, generator, "in-order, not base,")


def draw_displaced(
    layout: Layout, n: int, generator: torch.Generator, as_released: bool = False
) -> Comps:
    """n different compositions with a function of another position at every position.

    `as_released`: indices 0 .. N - 1 instead of 1 .. N.
    """
    positions, functions = layout.positions, layout.functions
    slots = torch.arange(positions)
    if n > (whole := ((positions - 1) * functions) ** positions):
        raise ValueError(f"cannot draw {n} of the {whole} all-displaced compositions")
    comps = torch.empty(0, positions, 2, dtype=torch.long)
    while len(comps) < n:
        shape = (max(2 * (n - len(comps)), 16), positions)
        other = torch.randint(positions - 1, shape, generator=generator)
        index = torch.randint(functions, shape, generator=generator) + (not as_released)
        drawn = torch.stack([other + (other >= slots), index], -1)
        comps = _without_repeats(torch.cat([comps, drawn]))
    return comps[:n]


def draw_cell(
    layout: Layout, k: int, m: int, n: int, generator: torch.Generator, as_released: bool = False
) -> Comps:
    """n different uniform compositions of k functions, m of them displaced; all if there are fewer.

    `as_released`: as the official evaluation labels (k, m). It displaces m of the first k
    positions, identities or not, so that what it calls (k, m) has other cells inside.

    Raises:
        ValueError: not 0 <= m <= k <= L.
    """
    positions, functions = layout.positions, layout.functions
    if not 0 <= m <= k <= positions:
        raise ValueError(f"a cell needs 0 <= m <= k <= {positions} (got k = {k}, m = {m})")
    slots = torch.arange(positions)
    whole = math.comb(positions, k) * math.comb(k, m) * functions**k * (positions - 1) ** m
    n = n if as_released else min(n, whole)
    comps = torch.empty(0, positions, 2, dtype=torch.long)
    while len(comps) < n:
        rows = max(2 * n, 32)
        rank = torch.rand(rows, positions, generator=generator).argsort(-1)
        order = torch.rand(rows, positions, generator=generator)
        order = order + (2 * (slots >= k) if as_released else 2 * (rank >= k))
        moved = order.argsort(-1).argsort(-1) < m
        active = (rank < k) | moved
        other = torch.randint(positions - 1, (rows, positions), generator=generator)
        index = torch.randint(functions, (rows, positions), generator=generator) + 1
        source = torch.where(moved, other + (other >= slots), slots)
        comps = torch.cat([comps, torch.stack([source, index * active], -1)])
        comps = comps if as_released else _without_repeats(comps)
    return comps[:n]


def _without_repeats(comps: Comps) -> Comps:
    """Each row once, in the order of first appearance."""
    seen = dict.fromkeys(tuple(row) for row in comps.flatten(1).tolist())
    return torch.tensor(list(seen), dtype=torch.long).view(len(seen), *comps.shape[1:])


# --- subsets by name ----------------------------------------------------------------------------


def largest_subset(names: Iterable[str], kind: str, most: int | None = None) -> str | None:
    """The largest subset of a kind, of `most` compositions at most: its name begins so and goes on
    with numbers only.

    >>> names = ["random 10", "random 50", "random 50, all tokens", "random 500"]
    >>> largest_subset(names, "random", 100)
    'random 50'
    """
    sizes = {
        text: int(text[len(kind) + 1 :])
        for text in map(str, names)
        if text.startswith(kind + " ") and text[len(kind) + 1 :].isdigit()
    }
    fit = [text for text, size in sizes.items() if most is None or size <= most]
    return max(fit, key=lambda text: sizes[text], default=None)


def released_subset(names: Iterable[str]) -> str | None:
    """Base compositions and all-displaced ones as the official code draws them."""
    found = (s for s in map(str, names) if s.startswith("base_combo") and s.endswith(", code"))
    return next(found, None)
