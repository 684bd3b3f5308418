"""Hold a predictor against the exact algorithms on sequences that stay the same throughout.

A predictor is anything that maps tokens to logits: a network, one of the algorithms, a mixture of
them. In-distribution (ID) sequences come from a member's own chains, out-of-distribution (OOD) ones
from chains that nobody was trained on. KL is D(estimate || truth) in nats, averaged over sequences
and over a window of positions: context c stands for the last tenth of the positions up to c.

Axis letters: A algorithm, M member, B sequences, T time, P measured positions, C context, N chains,
k states.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from synthcore.interp.interpolation import Fit, InnerProducts, inner_products, interpolate
from synthcore.studies.icl_markov import task, theory
from synthcore.training.seeding import seeded

Predictor = Callable[[Int[Tensor, "M B T"]], Float[Tensor, "M B T V"]]
"""Logits of the next token after each token; the first k are read, renormalised."""
Measured = dict[str, Tensor]
MEMBER, CELL, SHUFFLED = ("member",), ("member", "context"), ("member", "shuffled_context")

# What is measured of every predictor: dimensions, unit, long name.
VARIABLES = {
    "kl_id": (CELL, "nats", "KL(predictor || truth), in distribution"),
    "kl_ood": (CELL, "nats", "KL(predictor || truth), out of distribution"),
    "kl_ood_first_half": (CELL, "nats", "the same on one half of the sequences"),
    "kl_ood_second_half": (CELL, "nats", "the same on the other half"),
    "kl_to_uniform": (CELL, "nats", "KL(predictor || uniform), in distribution"),
    "nearest_id": (CELL, "1", "index of the nearest algorithm, in distribution"),
    "nearest_ood": (CELL, "1", "index of the nearest algorithm, out of distribution"),
    "loss_id": (MEMBER, "nats", "cross-entropy, in distribution"),
    "excess_loss": (MEMBER, "nats", "cross-entropy above the Bayes predictor"),
    "excess_loss_error": (MEMBER, "nats", "its standard error over sequences"),
    "regret": (CELL, "nats", "cross-entropy above the Bayes predictor, by context"),
    "kl_id_ordered": (SHUFFLED, "nats", "KL at the last position, in distribution"),
    "kl_ood_ordered": (SHUFFLED, "nats", "KL at the last position, out of distribution"),
    "kl_id_shuffled": (SHUFFLED, "nats", "the same, context shuffled, in distribution"),
    "kl_ood_shuffled": (SHUFFLED, "nats", "the same, context shuffled, out of distribution"),
    "weight": ((*CELL, "algorithm"), "1", "LIA weight, the paper's four algorithms"),
    "weight_of_five": ((*CELL, "algorithm"), "1", "LIA weight, with the hybrid"),
    "lia_residual": (CELL, "1", "RMS residual of LIA"),
    "lia_residual_of_five": (CELL, "1", "RMS residual of LIA with the hybrid"),
    "irrelevant_residual": (CELL, "1", "RMS residual of four irrelevant predictors"),
    "single_residual": (CELL, "1", "RMS residual of the best single algorithm"),
    "lia_kl": (CELL, "nats", "KL(predictor || LIA), in distribution"),
    "kl_ood_foretold": (CELL, "nats", "KL(LIA || truth), OOD, weights fitted ID"),
    "lia_cross": ((*CELL, "algorithm"), "1", "inner products of algorithms and predictor"),
    "lia_power": (CELL, "1", "mean square of the predictor"),
    "proximity_bigram": (MEMBER, "1", "P(matrix nearer to a training chain)"),
    "proximity_unigram": (MEMBER, "1", "the same for stationary rows"),
}
# What the algorithms score there.
REFERENCE = {
    "kl_id_algorithm": (("algorithm", *CELL), "nats", "KL(algorithm || truth), ID"),
    "kl_ood_algorithm": (("algorithm", *CELL), "nats", "KL(algorithm || truth), OOD"),
    "kl_ood_undecided": (CELL, "nats", "KL(half Bi-Ret, half Uni-Inf || truth), OOD"),
    "kl_id_algorithm_last": (("algorithm", *SHUFFLED), "nats", "at the last position, ID"),
    "kl_ood_algorithm_last": (("algorithm", *SHUFFLED), "nats", "at the last position, OOD"),
    "loss_id_algorithm": (("algorithm", "member"), "nats", "cross-entropy of algorithms, ID"),
    "excess_loss_algorithm": (("algorithm", "member"), "nats", "the same above Bayes"),
    "excess_loss_algorithm_error": (("algorithm", "member"), "nats", "its standard error"),
    "lia_condition": (CELL, "1", "condition number of LIA"),
    "lia_gram": ((*CELL, "algorithm", "other"), "1", "inner products of algorithms"),
}
BI_RET, UNI_INF = (theory.ALGORITHMS.index(name) for name in ("Bi-Ret", "Uni-Inf"))
FOUR = slice(0, len(theory.FOUR))


def window(context: int) -> range:
    """Positions averaged for a context length; position t has a context of t + 1 tokens.

    >>> window(1), window(40)
    (range(0, 1), range(36, 40))
    """
    return range(context - max(1, context // 10), context)


@dataclass(frozen=True)
class Sequences:
    """Evaluation sequences, the rows of their chains and the algorithms' predictions."""

    tokens: Int[Tensor, "M B T"]
    chains: Float[Tensor, "M B k k"]
    predicted: Float[Tensor, "A M B T k"]

    def truth(self, positions: Sequence[int]) -> Float[Tensor, "M B P k"]:
        """The row of each sequence's chain that belongs to its token at each position."""
        return theory.true_rows(self.chains, self.tokens[..., positions])


@dataclass(frozen=True)
class EvaluationSets:
    """How many sequences of each kind a member is held against, how long they are, the context
    lengths at which everything is measured, and those also read in random order."""

    sequences: int
    length: int
    contexts: Sequence[int]
    shuffled: Sequence[int]


class Evaluator:
    """Evaluation sets and exact predictions of one population; `mixture` has its training chains,
    `seeds` and `diversities` name the random streams. ValueError for a context outside 1..length.
    """

    def __init__(
        self,
        mixture: task.Mixture,
        seeds: Sequence[int],
        diversities: Sequence[int],
        sets: EvaluationSets,
    ) -> None:
        if min(sets.contexts) < 1 or max(sets.contexts) > sets.length:
            raise ValueError(f"contexts must lie in 1..{sets.length} (got {list(sets.contexts)})")
        self.mixture, self.states, self.length = mixture, mixture.states, sets.length
        self.shuffled_contexts = list(sets.shuffled)
        self.windows = [list(window(c)) for c in sets.contexts]
        device, size = mixture.weights.device, (sets.sequences, sets.length)
        known = partial(theory.of_every_member, mixture)

        def streams(purpose: str) -> list[torch.Generator]:
            return [seeded(s, n, purpose) for s, n in zip(seeds, diversities, strict=True)]

        tokens, chain = mixture.sample(*size, streams("evaluation"))
        own = mixture.transitions[torch.arange(len(seeds), device=device)[:, None], chain]
        self.id = Sequences(tokens, own, known(tokens))
        new = task.new_chains(*size, self.states, [seeded(s, "new chains") for s in seeds])
        tokens, fresh = (each.to(device) for each in new)
        self.ood = Sequences(tokens, fresh, known(tokens))
        self.shuffled: dict[int, list[Sequences]] = {}
        for c in sets.shuffled:
            orders = [
                (task.shuffle_context(kind.tokens[..., :c], streams("shuffle")), kind.chains)
                for kind in (self.id, self.ood)
            ]
            self.shuffled[c] = [Sequences(order, chains, known(order)) for order, chains in orders]
        count = (mixture.weights.shape[1],)
        unseen = [task.draw_chains(count, self.states, each) for each in streams("unseen")]
        self.unseen = task.Mixture.from_chains(torch.stack(unseen).to(device), mixture.weights)

    @torch.no_grad()
    def evaluate(self, predict: Predictor) -> Measured:
        """Everything that depends on the predictor."""

        def probabilities(tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T k"]:
            return predict(tokens)[..., : self.states].double().softmax(-1)

        on_id, on_ood = probabilities(self.id.tokens), probabilities(self.ood.tokens)
        on_shuffled = [
            tuple(probabilities(kind.tokens)[:, :, -1] for kind in self.shuffled[c])
            for c in self.shuffled_contexts
        ]
        return self._measure(on_id, on_ood, on_shuffled)

    def algorithm(self, weights: Sequence[float]) -> Measured:
        """The same for a mixture of the algorithms, judged as a network would be.

        `weights` are those of `theory.ALGORITHMS`.
        """
        share = torch.tensor(weights, dtype=torch.float64, device=self.id.tokens.device)

        def blend(predicted: Float[Tensor, "A *rest"]) -> Float[Tensor, "*rest"]:
            return torch.tensordot(share, predicted, dims=1)

        on_shuffled = [
            tuple(blend(kind.predicted[..., -1, :]) for kind in self.shuffled[c])
            for c in self.shuffled_contexts
        ]
        return self._measure(blend(self.id.predicted), blend(self.ood.predicted), on_shuffled)

    def _measure(
        self,
        on_id: Float[Tensor, "M B T k"],
        on_ood: Float[Tensor, "M B T k"],
        on_shuffled: Sequence[Sequence[Float[Tensor, "M B k"]]],
    ) -> Measured:
        kl_id, kl_ood = self._kl(self.id, on_id), self._kl(self.ood, on_ood)
        half = kl_ood.shape[1] // 2
        surprise = theory.surprisal(on_id, self.id.tokens)
        excess = surprise - theory.surprisal(self.id.predicted[BI_RET], self.id.tokens)
        to_id, to_ood = self._to_algorithms(self.id, on_id), self._to_algorithms(self.ood, on_ood)
        uniform = torch.full_like(on_id, 1 / self.states)
        return {
            "kl_id": self._mean(kl_id),
            "kl_ood": self._mean(kl_ood),
            "kl_ood_first_half": self._mean(kl_ood[:, :half]),
            "kl_ood_second_half": self._mean(kl_ood[:, half:]),
            "kl_to_uniform": self._mean(theory.kl(on_id, uniform)),
            "nearest_id": to_id.argmin(0),
            "nearest_ood": to_ood.argmin(0),
            "loss_id": surprise.mean((-1, -2)),
            "excess_loss": excess.mean((-1, -2)),
            "excess_loss_error": _error(excess.mean(-1)),
            "regret": self._mean(F.pad(excess, (0, 1), value=torch.nan)),
            **self._shuffling(kl_id, kl_ood, on_shuffled),
            **self._interpolation(on_id),
            **self._proximity(on_ood),
        }

    def _kl(self, kind: Sequences, estimate: Float[Tensor, "M B T k"]) -> Float[Tensor, "M B T"]:
        return theory.kl(estimate, kind.truth(range(self.length)))

    def _to_algorithms(
        self, kind: Sequences, estimate: Float[Tensor, "M B T k"]
    ) -> Float[Tensor, "A M C"]:
        return self._mean(theory.kl(estimate, kind.predicted))

    def _mean(self, values: Float[Tensor, "*A M B T"]) -> Float[Tensor, "*A M C"]:
        """Mean over sequences and over the window of each context."""
        return torch.stack([values[..., inside].mean((-1, -2)) for inside in self.windows], dim=-1)

    def _shuffling(
        self,
        kl_id: Float[Tensor, "M B T"],
        kl_ood: Float[Tensor, "M B T"],
        on_shuffled: Sequence[Sequence[Float[Tensor, "M B k"]]],
    ) -> Measured:
        """KL at the last position of contexts as they are and with their order destroyed: the same
        sequences in both."""
        last = [c - 1 for c in self.shuffled_contexts]
        shuffled: list[list[Tensor]] = [[], []]
        for c, estimates in zip(self.shuffled_contexts, on_shuffled, strict=True):
            for i, (kind, estimate) in enumerate(zip(self.shuffled[c], estimates, strict=True)):
                truth = theory.true_rows(kind.chains, kind.tokens[..., -1:])[..., 0, :]
                shuffled[i].append(theory.kl(estimate, truth).mean(-1))
        return {
            "kl_id_ordered": kl_id[..., last].mean(1),
            "kl_ood_ordered": kl_ood[..., last].mean(1),
            "kl_id_shuffled": torch.stack(shuffled[0], dim=-1),
            "kl_ood_shuffled": torch.stack(shuffled[1], dim=-1),
        }

    def _interpolation(self, on_id: Float[Tensor, "M B T k"]) -> Measured:
        """LIA fitted on ID sequences, how well it fits, its controls, and what it foretells OOD."""
        four: list[Fit] = []
        five: list[Fit] = []
        aside: list[Fit] = []
        single, distance, foretold, products = [], [], [], []
        stranger = irrelevant(self.id.tokens, self.states)
        for inside in self.windows:
            known = self.id.predicted[..., inside, :]
            network = on_id[..., inside, :]
            entries = known.transpose(0, 1).flatten(2)  # (M, A, B * P * k)
            four.append(interpolate(entries[:, FOUR], network.flatten(1)))
            five.append(interpolate(entries, network.flatten(1)))
            strange = stranger[..., inside, :].transpose(0, 1).flatten(2)
            aside.append(interpolate(strange, network.flatten(1)))
            products.append(inner_products(entries[:, FOUR], network.flatten(1)))
            single.append((entries - network.flatten(1)[:, None]).square().mean(-1).sqrt())
            blend = four[-1].weights.T[..., None, None, None]  # (4, M, 1, 1, 1)
            distance.append(theory.kl(network, (blend * known[FOUR]).sum(0)).mean((-1, -2)))
            mixed = (blend * self.ood.predicted[FOUR][..., inside, :]).sum(0)
            foretold.append(theory.kl(mixed, self.ood.truth(inside)).mean((-1, -2)))
        weight = torch.stack([fit.weights for fit in four], dim=1)
        return {
            "weight": F.pad(weight, (0, 1)),
            "weight_of_five": torch.stack([fit.weights for fit in five], dim=1),
            "lia_residual": torch.stack([fit.residual for fit in four], dim=1),
            "lia_residual_of_five": torch.stack([fit.residual for fit in five], dim=1),
            "irrelevant_residual": torch.stack([fit.residual for fit in aside], dim=1),
            "single_residual": torch.stack(single, dim=-1)[:, FOUR].amin(1),
            "lia_kl": torch.stack(distance, dim=-1),
            "kl_ood_foretold": torch.stack(foretold, dim=-1),
            "lia_cross": F.pad(_stack(products, 1), (0, 1)),
            "lia_power": _stack(products, 2),
        }

    def reference(self) -> Measured:
        """What depends on no predictor: the algorithms' scores and LIA's inner products."""
        surprise = theory.surprisal(self.id.predicted, self.id.tokens).mean(-1)
        excess = surprise - surprise[BI_RET]
        entries = [
            self.id.predicted[FOUR][..., inside, :].transpose(0, 1).flatten(2)
            for inside in self.windows
        ]
        fits = [interpolate(known, known[:, 0]) for known in entries]
        gram = torch.stack([known @ known.mT / known.shape[-1] for known in entries], dim=1)
        padded = F.pad(gram, (0, 1, 0, 1))
        undecided = (self.ood.predicted[BI_RET] + self.ood.predicted[UNI_INF]) / 2
        return {
            "kl_id_algorithm": self._algorithms(self.id),
            "kl_ood_algorithm": self._algorithms(self.ood),
            "kl_ood_undecided": self._mean(self._kl(self.ood, undecided)),
            "kl_id_algorithm_last": self._algorithms_last(self.id),
            "kl_ood_algorithm_last": self._algorithms_last(self.ood),
            "loss_id_algorithm": surprise.mean(-1),
            "excess_loss_algorithm": excess.mean(-1),
            "excess_loss_algorithm_error": _error(excess),
            "lia_condition": torch.stack([fit.condition for fit in fits], dim=1),
            "lia_gram": padded,
        }

    def _algorithms(self, kind: Sequences) -> Float[Tensor, "A M C"]:
        return self._mean(theory.kl(kind.predicted, kind.truth(range(self.length))))

    def _algorithms_last(self, kind: Sequences) -> Float[Tensor, "A M S"]:
        last = [c - 1 for c in self.shuffled_contexts]
        return theory.kl(kind.predicted[..., last, :], kind.truth(last)).mean(2)

    def _proximity(self, on_ood: Float[Tensor, "M B T k"]) -> Measured:
        """P(the predictor's matrix is closer to a training chain than to any of N unseen chains).

        Row i of the matrix is the prediction at the last occurrence of state i in the second half
        of an OOD sequence, weighted by how often it occurs there. 0.5 is chance, 1 is retrieval.
        """
        late = self.ood.tokens[..., self.length // 2 :]
        occurs = F.one_hot(late, self.states)
        share = occurs.double().mean(-2)
        time = torch.arange(late.shape[-1], device=late.device)[:, None]
        last = (occurs * time).amax(-2)
        index = last[..., None].expand(*last.shape, self.states)
        rows = on_ood[..., self.length // 2 :, :].gather(-2, index)

        def closer(rank_one: bool) -> Float[Tensor, "M"]:
            trained = task.nearest(self.mixture, rows, share, rank_one)
            return (trained < task.nearest(self.unseen, rows, share, rank_one)).double().mean(-1)

        return {
            "proximity_bigram": closer(rank_one=False),
            "proximity_unigram": closer(rank_one=True),
        }


def irrelevant(tokens: Int[Tensor, "M B T"], k: int) -> Float[Tensor, "4 M B T k"]:
    """Four predictors that know nothing of the task: uniform, first state, next and last label."""
    after = F.one_hot((tokens + 1) % k, k).double()
    before = F.one_hot((tokens - 1) % k, k).double()
    first = F.one_hot(tokens[..., :1].expand_as(tokens), k).double()
    return torch.stack([torch.full_like(after, 1 / k), first, after, before])


def _stack(products: Sequence[InnerProducts], part: int) -> Tensor:
    return torch.stack([each[part] for each in products], dim=1)


def _error(values: Float[Tensor, "*A M B"]) -> Float[Tensor, "*A M"]:
    """Standard error of the mean over sequences."""
    return values.std(-1) / math.sqrt(values.shape[-1])
