"""Sequences from a finite mixture of Markov chains.

A world holds N chains over k states. Chain n has a transition matrix T_n whose rows are drawn once
from a Dirichlet(1, ..., 1), a stationary distribution pi_n, and a weight p_n. Every sequence is
new: draw a chain n ~ p, a first state x_0 ~ pi_n, then x_t ~ T_n[x_{t-1}]. The learner predicts the
next state. With few chains it can recognise which one it sees (retrieval); with many it can only
count what it has seen (inference). The diversity N moves the task between the two.

Axis letters: M member, N chains (padded to the largest N of the population with weight zero), B
batch, T time, k states. Source: the process of the `markov-mixtures` repository that accompanies
the paper; the sampler is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.icl_markov.config import Weighting
from synthcore.training.seeding import seeded


def stationary(transitions: Float[Tensor, "*batch k k"]) -> Float[Tensor, "*batch k"]:
    """Stationary distribution pi of every chain: pi T = pi, sum(pi) = 1.

    One equation of pi (T - I) = 0 is redundant; it is replaced by the normalisation. Tiny negatives
    of round-off are clipped.

    A chain that leaves state 1 at once and state 0 half the time:

    >>> stationary(torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64))
    tensor([0.6667, 0.3333], dtype=torch.float64)
    """
    k = transitions.shape[-1]
    system = (transitions - torch.eye(k, dtype=transitions.dtype, device=transitions.device)).mT
    system = torch.cat([system[..., :-1, :], torch.ones_like(system[..., :1, :])], dim=-2)
    target = torch.zeros_like(system[..., 0])
    target[..., -1] = 1
    pi = torch.linalg.solve(system, target).clamp_min(0)
    return pi / pi.sum(-1, keepdim=True)


def draw_chains(
    shape: Sequence[int], states: int, generator: torch.Generator, blocks: int = 0
) -> Float[Tensor, "*shape k k"]:
    """Transition matrices with independent Dirichlet rows, float64.

    Rows are Dirichlet(1, ..., 1). With `blocks` > 0 they are structured: the states fall into
    blocks of that size and the concentration is 5 inside a state's own block, 1 outside. Raises
    ValueError if k < 2 or the blocks do not divide the states.
    """
    if states < 2:
        raise ValueError(f"states must be at least 2 (got {states})")
    if blocks and states % blocks:
        raise ValueError(f"blocks must divide the {states} states (got {blocks})")
    size = (*shape, states, states)
    device = generator.device
    gamma = -torch.log1p(-torch.rand(size, generator=generator, dtype=torch.float64, device=device))
    if blocks:
        block = torch.arange(states, device=device) // blocks
        for _ in range(4):  # a Gamma(5) variate is the sum of five Gamma(1) variates
            extra = torch.rand(size, generator=generator, dtype=torch.float64, device=device)
            gamma = gamma - torch.log1p(-extra) * (block[:, None] == block[None, :])
    gamma = gamma.clamp_min(torch.finfo(torch.float64).tiny)
    return gamma / gamma.sum(-1, keepdim=True)


def draw_weights(
    count: int, weighting: Weighting, generator: torch.Generator
) -> Float[Tensor, "N"]:
    """Mixture weights p of `count` chains, float64.

    `normalised-uniform`: uniforms on (0, 1), normalised (the official code). `dirichlet`:
    Dirichlet(1, ..., 1) (the paper's text), far more skewed. `uniform`: 1/N each.
    """
    u = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
    mass = {
        "normalised-uniform": u,
        "dirichlet": -torch.log1p(-u),
        "uniform": torch.ones_like(u),
    }[weighting]
    return mass / mass.sum()


@dataclass(frozen=True)
class Mixture:
    """The chains of every member, padded along N with chains of weight zero. float64."""

    transitions: Float[Tensor, "M N k k"]
    weights: Float[Tensor, "M N"]
    stationary: Float[Tensor, "M N k"]

    def __post_init__(self) -> None:
        for name, rows in (("transitions", self.transitions), ("weights", self.weights)):
            if (rows < 0).any() or not torch.allclose(rows.sum(-1), rows.new_ones(()), atol=1e-9):
                raise ValueError(f"{name} must be non-negative and every row must sum to one")

    @classmethod
    def from_chains(
        cls, transitions: Float[Tensor, "M N k k"], weights: Float[Tensor, "M N"]
    ) -> "Mixture":
        return cls(transitions, weights, stationary(transitions))

    @classmethod
    def draw(
        cls,
        diversities: Sequence[int],
        seeds: Sequence[int],
        states: int,
        weighting: Weighting = "normalised-uniform",
        device: torch.device | str = "cpu",
    ) -> "Mixture":
        """One member per (diversity, seed) pair. Chains depend on both, so they are not nested
        across diversities.

        They are drawn on the CPU, so that the same seeds name the same chains on every device.
        """
        if min(diversities, default=0) < 1:
            raise ValueError(f"every diversity must be at least 1 (got {list(diversities)})")
        if len(diversities) != len(seeds):
            raise ValueError(f"{len(diversities)} diversities but {len(seeds)} seeds")
        largest = max(diversities)
        transitions = torch.full(
            (len(seeds), largest, states, states), 1 / states, dtype=torch.float64
        )
        weights = torch.zeros(len(seeds), largest, dtype=torch.float64)
        for member, (count, seed) in enumerate(zip(diversities, seeds, strict=True)):
            generator = seeded(seed, count, "chains")
            weights[member, :count] = draw_weights(count, weighting, generator)
            transitions[member, :count] = draw_chains((count,), states, generator)
        return cls.from_chains(transitions.to(device), weights.to(device))

    @property
    def states(self) -> int:
        return self.transitions.shape[-1]

    @property
    def effective_diversity(self) -> Float[Tensor, "M"]:
        """exp of the entropy of the weights: how many equally likely chains would be as diverse."""
        return torch.special.entr(self.weights).sum(-1).exp()

    def sample(
        self, batch: int, length: int, generators: Sequence[torch.Generator]
    ) -> tuple[Int[Tensor, "M B T"], Int[Tensor, "M B"]]:
        """Fresh sequences and the chain of each; every member draws from a generator of its own.

        One chain, which alternates between its two states, so every step changes the state:

        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double()
        >>> mixture = Mixture.from_chains(swap[None, None], torch.ones(1, 1).double())
        >>> tokens, chain = mixture.sample(4, 6, [seeded(0)])
        >>> tokens.diff(dim=-1).abs()[0, 0]
        tensor([1, 1, 1, 1, 1])
        """
        device = self.weights.device
        u = torch.stack([uniforms((batch, length + 1), each) for each in generators]).to(device)
        cumulative = self.weights.cumsum(-1)
        chain = torch.searchsorted(cumulative, u[..., 0] * cumulative[:, -1:], right=True)
        member = torch.arange(len(generators), device=device)[:, None]
        chains, start = self.transitions[member, chain], self.stationary[member, chain]
        return walk(chains, start, u[..., 1:]), chain


def uniforms(shape: Sequence[int], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Numbers drawn uniformly from [0, 1), float64, on the generator's device."""
    return torch.rand(*shape, generator=generator, dtype=torch.float64, device=generator.device)


def walk(
    transitions: Float[Tensor, "*batch k k"],
    start: Float[Tensor, "*batch k"],
    u: Float[Tensor, "*batch T"],
) -> Int[Tensor, "*batch T"]:
    """One sequence of every chain, exact: x_0 ~ start, x_t ~ row x_{t-1} of the chain.

    Every token has one uniform `u`, turned into a state by the inverse cumulative distribution. On
    CUDA a scan does it in log2(T) rounds; on a CPU, where work counts and launches do not, one
    state at a time is five times as fast. Both give the same tokens. ValueError for no token.

    A chain that stays where it is, started in its second state:

    >>> walk(torch.eye(2)[None], torch.tensor([[0.0, 1.0]]), torch.full((1, 4), 0.5))
    tensor([[1, 1, 1, 1]])
    """
    if u.shape[-1] < 1:
        raise ValueError("a sequence needs at least one token (got 0)")
    first = (u[..., :1] >= start.cumsum(-1)[..., :-1]).sum(-1)
    edges = transitions.cumsum(-1)[..., :-1]
    follow = _scan if transitions.device.type == "cuda" else _step_by_step
    return follow(first, edges, u[..., 1:])


def _step_by_step(
    first: Int[Tensor, "*batch"], edges: Float[Tensor, "*batch k k1"], u: Float[Tensor, "*batch T1"]
) -> Int[Tensor, "*batch T"]:
    """Follow the chains one state at a time; `edges` are the cumulative rows without their 1."""
    k = edges.shape[-2]
    rows = edges.reshape(-1, k - 1)
    offset = k * torch.arange(first.numel(), device=first.device)
    states = [first.flatten()]
    for uniform in u.reshape(first.numel(), -1).T.contiguous()[..., None]:
        row = rows.index_select(0, offset + states[-1])
        states.append(torch.searchsorted(row, uniform, right=True)[:, 0])
    return torch.stack(states, dim=-1).reshape(*first.shape, -1)


def _scan(
    first: Int[Tensor, "*batch"], edges: Float[Tensor, "*batch k k1"], u: Float[Tensor, "*batch T1"]
) -> Int[Tensor, "*batch T"]:
    """The same by composition: at time t the uniform is a random map f_t from states to states.

    x_t = f_t(...f_1(x_0)), and composition is associative, so a parallel scan gives all prefixes.
    """
    maps = (u[..., None, None] >= edges[..., None, :, :]).sum(-1)  # (*batch, T-1, k)
    reach = 1
    while reach < u.shape[-1]:
        maps[..., reach:, :] = maps[..., reach:, :].gather(-1, maps[..., :-reach, :].clone())
        reach *= 2
    start = first[..., None, None].expand(*u.shape, 1)
    return torch.cat([first[..., None], maps.gather(-1, start).squeeze(-1)], dim=-1)


def shuffle_context(
    tokens: Int[Tensor, "M B T"], generators: Sequence[torch.Generator]
) -> Int[Tensor, "M B T"]:
    """All tokens but the last in random order: unigram counts stay, bigram counts are destroyed,
    the current state is kept. A context of one token stays as it is.
    """
    size = (tokens.shape[1], tokens.shape[2] - 1)
    order = torch.stack([uniforms(size, each).argsort(-1) for each in generators])
    return torch.cat([tokens[..., :-1].gather(-1, order.to(tokens.device)), tokens[..., -1:]], -1)


def new_chains(
    batch: int, length: int, states: int, generators: Sequence[torch.Generator]
) -> tuple[Int[Tensor, "M B T"], Float[Tensor, "M B k k"]]:
    """Sequences of chains that nobody has seen, one chain for each, and those chains: what a member
    is tested on, and the training in which there is nothing to recognise. On the generators'
    device.
    """
    chains = torch.stack([draw_chains((batch,), states, each) for each in generators])
    u = torch.stack([uniforms((batch, length), each) for each in generators])
    return walk(chains, stationary(chains), u), chains


def pair_tokens(tokens: Int[Tensor, "*batch T"], states: int) -> Int[Tensor, "*batch T"]:
    """Two-token input: the id at t >= 1 is (x_t + 1) k + x_{t-1}; at t = 0 it is x_0. Ids are below
    k (k + 1).

    >>> pair_tokens(torch.tensor([2, 0, 1]), states=3)
    tensor([2, 5, 6])
    """
    pairs = (tokens[..., 1:] + 1) * states + tokens[..., :-1]
    return torch.cat([tokens[..., :1], pairs], dim=-1)


def nearest(
    mixture: Mixture,
    rows: Float[Tensor, "M B k k"],
    share: Float[Tensor, "M B k"],
    rank_one: bool,
) -> Float[Tensor, "M B"]:
    """min_n D(T_n || rows; share) over chains with weight; `rank_one`: every row of T_n is pi_n."""
    chains = mixture.transitions
    if rank_one:
        chains = mixture.stationary[:, :, None, :].expand_as(chains)
    entropy = torch.special.xlogy(chains, chains).sum(-1)
    weighted = share[..., None] * (rows + 1e-8).log()
    distance = torch.einsum("mni,mbi->mbn", entropy, share) - torch.einsum(
        "mnij,mbij->mbn", chains, weighted
    )
    return distance.masked_fill(mixture.weights[:, None] == 0, torch.inf).amin(-1)
