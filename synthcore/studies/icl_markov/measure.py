"""What is measured at a checkpoint: the network against the exact algorithms, on fixed sequences.

Sequences are drawn once per population, so every checkpoint sees the same ones. *ID* sequences come
from the training mixture with the training weights; each *OOD* sequence has a chain of its own,
never trained on. All quantities are functions of the context length c: averages over the positions
whose context is within ten per cent below c (a single position for c < 20).

Axis letters: A algorithm, M member, B sequences, T time, P measured positions, C context, N chains,
k states.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.icl_markov import interpolation, task, theory
from synthcore.training.seeding import seeded

Encode = Callable[[Int[Tensor, "M B T"]], Int[Tensor, "M B T"]]
# What is measured: its dimensions after the checkpoint's, and its values.
Measured = dict[str, tuple[tuple[str, ...], Tensor]]
CELL = ("member", "context")
BI_RET = theory.ALGORITHMS.index("Bi-Ret")
ATTENTION_SEQUENCES = 16
AT_ONCE = 32


def window(context: int) -> range:
    """Positions averaged for a context length; position t has a context of t + 1 tokens.

    >>> window(1), window(40)
    (range(0, 1), range(36, 40))
    """
    return range(context - max(1, context // 10), context)


@dataclass(frozen=True)
class Sequences:
    """Evaluation sequences with the truth and the algorithms' predictions at measured positions."""

    tokens: Int[Tensor, "M B T"]
    truth: Float[Tensor, "M B P k"]
    predicted: Float[Tensor, "A M B P k"]

    def kl(self, estimate: Float[Tensor, "*A M B P k"]) -> Float[Tensor, "*A M B P"]:
        """D(estimate || truth) in nats."""
        return theory.kl(estimate, self.truth)


class Yardstick:
    """Evaluation sets and exact predictions of one population; `measure` compares networks with
    them.

    sequences: how many of each kind per member; half of them are also read shuffled.
    """

    def __init__(
        self,
        mixture: task.Mixture,
        sequences: int,
        length: int,
        contexts: Sequence[int],
        seeds: Sequence[int],
    ) -> None:
        if min(contexts) < 1 or max(contexts) > length:
            raise ValueError(f"contexts must lie in 1..{length} (got {list(contexts)})")
        self.mixture, self.states = mixture, mixture.states
        device = mixture.weights.device
        self.positions = sorted({t for c in contexts for t in window(c)})
        self.windows = [[self.positions.index(t) for t in window(c)] for c in contexts]
        streams = [seeded(seed, 0, 1) for seed in seeds]
        random = torch.Generator(device).manual_seed(seeds[0] + 1)

        tokens, chain = mixture.sample(sequences, length, random)
        chains = mixture.transitions[torch.arange(len(seeds), device=device)[:, None], chain]
        predicted = predictions(mixture, tokens)
        self.surprise = surprise(predicted, tokens)
        self.id = self._sequences(tokens, chains, predicted)

        fresh = _draw(streams, sequences, self.states).to(device)
        tokens = task.walk(fresh, task.stationary(fresh), length, random)
        self.ood = self._sequences(tokens, fresh, predictions(mixture, tokens))

        few = fresh[:, : max(1, sequences // 2)]
        self.shuffled = []
        for c in contexts:
            shuffled = task.shuffle_context(tokens[:, : few.shape[1], :c], random)
            self.shuffled.append((shuffled, true_rows(few, shuffled[..., -1:])[..., 0, :]))
        unseen = _draw(streams, mixture.weights.shape[1], self.states).to(device)
        self.unseen = task.Mixture.from_chains(unseen, mixture.weights)
        self.basis = self._by_context(self.id.predicted)
        aside = irrelevant(self.id.tokens, self.states)
        self.irrelevant = self._by_context(aside[..., self.positions, :])

    def reference(self) -> Measured:
        """What the algorithms themselves score: the lines behind every figure."""
        shuffled = [
            theory.kl(predictions(self.mixture, tokens)[..., -1, :], truth).mean(-1)
            for tokens, truth in self.shuffled
        ]
        loss = self.surprise.mean(-1)
        excess = loss - loss[BI_RET]
        gram = torch.stack([basis @ basis.mT / basis.shape[-1] for basis in self.basis], dim=1)
        return {
            "kl_id_algorithm": (("algorithm", *CELL), self._mean(self.id.kl(self.id.predicted))),
            "kl_ood_algorithm": (("algorithm", *CELL), self._mean(self.ood.kl(self.ood.predicted))),
            "kl_shuffled_algorithm": (("algorithm", *CELL), torch.stack(shuffled, dim=-1)),
            "loss_id_algorithm": (("algorithm", "member"), loss.mean(-1)),
            "excess_loss_algorithm": (("algorithm", "member"), excess.mean(-1)),
            "excess_loss_algorithm_error": (("algorithm", "member"), _error(excess)),
            "lia_gram": ((*CELL, "algorithm", "other"), gram),
            "lia_condition": (CELL, interpolation.condition(gram)),
        }

    @torch.no_grad()
    def measure(self, model: GPT, encode: Encode) -> Measured:
        """Everything that depends on the network's weights."""

        def network(tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T k"]:
            # A vocabulary may be larger than k; the first k logits, renormalised, are compared.
            # A few sequences at a time stay in the cache of a CPU.
            parts = encode(tokens).split(AT_ONCE, dim=1)
            logits = torch.cat([model(part)[..., : self.states] for part in parts], dim=1)
            return logits.double().softmax(-1)

        whole_id, whole_ood = network(self.id.tokens), network(self.ood.tokens)
        on_id, on_ood = (p[..., self.positions, :] for p in (whole_id, whole_ood))
        shuffled = [
            theory.kl(network(tokens)[:, :, -1], truth).mean(-1) for tokens, truth in self.shuffled
        ]
        own = surprise(whole_id, self.id.tokens)
        excess = own - self.surprise[BI_RET]
        regret = F.pad(excess, (0, 1), value=torch.nan)[..., self.positions]
        uniform = torch.full_like(on_id, 1 / self.states)
        return {
            "kl_id": (CELL, self._mean(self.id.kl(on_id))),
            "kl_ood": (CELL, self._mean(self.ood.kl(on_ood))),
            "kl_shuffled": (CELL, torch.stack(shuffled, dim=-1)),
            "kl_to_algorithm": (
                ("algorithm", *CELL),
                self._mean(theory.kl(on_ood, self.ood.predicted)),
            ),
            "kl_to_uniform": (CELL, self._mean(theory.kl(on_id, uniform))),
            "loss_id": (("member",), own.mean((-1, -2))),
            "excess_loss": (("member",), excess.mean((-1, -2))),
            "excess_loss_error": (("member",), _error(excess.mean(-1))),
            "regret": (CELL, self._mean(regret)),
            **self._interpolate(on_id),
            **self._proximity(whole_ood),
            **attention_scores(model, encode, self.ood.tokens[:, :ATTENTION_SEQUENCES]),
        }

    def _sequences(
        self,
        tokens: Int[Tensor, "M B T"],
        chains: Float[Tensor, "M B k k"],
        predicted: Float[Tensor, "A M B T k"],
    ) -> Sequences:
        truth = true_rows(chains, tokens[..., self.positions])
        return Sequences(tokens, truth, predicted[..., self.positions, :])

    def _mean(self, values: Float[Tensor, "*A M B P"]) -> Float[Tensor, "*A M C"]:
        """Mean over sequences and over the window of each context."""
        return torch.stack([values[..., inside].mean((-1, -2)) for inside in self.windows], dim=-1)

    def _by_context(self, predicted: Float[Tensor, "A M B P k"]) -> list[Float[Tensor, "M A _"]]:
        """All entries (sequence, position in the window, next state) of each context."""
        return [
            predicted[..., inside, :].flatten(2).transpose(0, 1).contiguous()
            for inside in self.windows
        ]

    def _interpolate(self, on_id: Float[Tensor, "M B P k"]) -> Measured:
        """LIA fitted on ID sequences, how well it fits, its controls, and what it foretells OOD."""
        observed = self._by_context(on_id[None])
        products = interpolation.inner_products(self.basis, observed)
        weight = interpolation.simplex_least_squares(products.gram, products.cross)
        null = interpolation.inner_products(self.irrelevant, observed)
        null_weight = interpolation.simplex_least_squares(null.gram, null.cross)
        each = torch.eye(weight.shape[-1], dtype=weight.dtype, device=weight.device)
        single = torch.stack([products.residual(one.expand_as(weight)) for one in each])
        distance, foretold = [], []
        for row, inside in enumerate(self.windows):
            blend = weight[:, row].T[:, :, None, None, None]
            fitted = (blend * self.id.predicted[..., inside, :]).sum(0)
            distance.append(theory.kl(on_id[..., inside, :], fitted).flatten(1))
            mixed = (blend * self.ood.predicted[..., inside, :]).sum(0)
            truth = self.ood.truth[..., inside, :]
            foretold.append(theory.kl(mixed, truth).mean((-1, -2)))
        return {
            "weight": ((*CELL, "algorithm"), weight),
            "lia_cross": ((*CELL, "algorithm"), products.cross),
            "lia_power": (CELL, products.power),
            "lia_residual": (CELL, products.residual(weight)),
            "irrelevant_residual": (CELL, null.residual(null_weight)),
            "single_residual": (("algorithm", *CELL), single),
            "lia_kl": (CELL, torch.stack([d.mean(-1) for d in distance], dim=-1)),
            "lia_kl_median": (CELL, torch.stack([d.median(-1).values for d in distance], dim=-1)),
            "kl_ood_foretold": (CELL, torch.stack(foretold, dim=-1)),
        }

    def _proximity(self, whole_ood: Float[Tensor, "M B T k"]) -> Measured:
        """P(the network's matrix is closer to a training chain than to any of N unseen chains).

        The matrix is read off each OOD sequence: row i is the prediction at the last occurrence of
        state i in the second half. Rows are weighted by how often their state occurs there, so a
        state that does not occur needs no resampling. 0.5 is chance, 1 is retrieval.
        """
        half = self.ood.tokens.shape[-1] // 2
        late = self.ood.tokens[..., half:]
        occurs = F.one_hot(late, self.states)
        share = occurs.double().mean(-2)
        time = torch.arange(late.shape[-1], device=late.device)[:, None]
        last = (occurs * time).amax(-2)
        index = last[..., None].expand(*last.shape, self.states)
        rows = whole_ood[..., half:, :].gather(-2, index)
        result: Measured = {}
        for name, rank_one in (("proximity_bigram", False), ("proximity_unigram", True)):
            trained, unseen = (
                _nearest(mixture, rows, share, rank_one) for mixture in (self.mixture, self.unseen)
            )
            result[name] = (("member",), (trained < unseen).double().mean(-1))
        return result


def predictions(mixture: task.Mixture, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "A M B T k"]:
    """`theory.predictions` of every member without its padding, in parts that bound memory."""
    answers = []
    for member, sequences in enumerate(tokens):
        real = mixture.weights[member] > 0
        chains = (
            mixture.transitions[member, real],
            mixture.stationary[member, real],
            mixture.weights[member, real],
        )
        at_once = max(1, int(2e7) // (sequences.shape[1] * int(real.sum())))
        parts = [theory.predictions(part, *chains) for part in sequences.split(at_once)]
        answers.append(torch.cat(parts, dim=1))
    return torch.stack(answers, dim=1)


def true_rows(
    chains: Float[Tensor, "M B k k"], tokens: Int[Tensor, "M B P"]
) -> Float[Tensor, "M B P k"]:
    """The row of each sequence's chain that belongs to each of its tokens."""
    index = tokens[..., None].expand(*tokens.shape, chains.shape[-1])
    return chains.gather(-2, index)


def surprise(
    predicted: Float[Tensor, "*A M B T k"], tokens: Int[Tensor, "M B T"]
) -> Float[Tensor, "*A M B T1"]:
    """-ln P(next token) in nats at positions 0..T-2."""
    following = tokens[..., 1:, None].expand(*predicted.shape[:-2], -1, 1)
    return -predicted[..., :-1, :].gather(-1, following).squeeze(-1).clamp_min(1e-300).log()


def irrelevant(tokens: Int[Tensor, "M B T"], k: int) -> Float[Tensor, "3 M B T k"]:
    """Three predictors that know nothing of the task: uniform, the first state, the next label."""
    following = F.one_hot((tokens + 1) % k, k).double()
    first = F.one_hot(tokens[..., :1].expand_as(tokens), k).double()
    return torch.stack([torch.full_like(following, 1 / k), first, following])


def attention_scores(model: GPT, encode: Encode, tokens: Int[Tensor, "M B T"]) -> Measured:
    """Previous-token score of the first layer, statistical-induction score of the last; best head.

    Previous token: mean weight on position t - 1 (about 1/t without structure). Induction: mass on
    positions that follow an earlier occurrence of the current state, minus the share of such
    positions (0 without structure), over the second half of the sequence.
    """
    first, last = "blocks.0.attn.hook_pattern", f"blocks.{model.config.depth - 1}.attn.hook_pattern"
    with record(model, [first, last]) as seen:
        model(encode(tokens))
    length = tokens.shape[-1]
    previous = seen[first].diagonal(offset=-1, dim1=-2, dim2=-1).mean((1, 3))  # (M, H)
    before = F.pad(tokens[..., :-1], (1, 0), value=-1)
    follows = (before[..., None, :] == tokens[..., :, None]).tril()  # (M, B, T, S)
    share = follows.double().sum(-1) / torch.arange(1, length + 1, device=tokens.device)
    mass = (seen[last].double() * follows[:, :, None]).sum(-1)
    induction = (mass - share[:, :, None])[..., length // 2 :].mean((1, 3))
    return {
        "previous_token": (("member",), previous.amax(-1).double()),
        "induction": (("member",), induction.amax(-1)),
    }


def _draw(streams: Sequence[torch.Generator], count: int, states: int) -> Float[Tensor, "M N k k"]:
    return torch.stack([task.draw_chains((count,), states, stream) for stream in streams])


def _error(values: Float[Tensor, "*A M B"]) -> Float[Tensor, "*A M"]:
    """Standard error of the mean over sequences."""
    return values.std(-1) / math.sqrt(values.shape[-1])


def _nearest(
    mixture: task.Mixture,
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
