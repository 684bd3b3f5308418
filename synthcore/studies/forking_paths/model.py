"""A trained transformer behind the protocol, and batches of ForkWorld text to train it on.

Axis letters: M member, B batch, T tokens, N worlds, R regimes, W tokens at a place, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from synthcore.completions.protocol import Completion, Request
from synthcore.nn.gpt import GPT, Cache, GPTConfig
from synthcore.studies.forking_paths.task.ensemble import Tables
from synthcore.studies.forking_paths.task.world import (
    NUMBERS,
    PUNCTUATION,
    WORDS,
    ForkWorld,
    tokens_of,
)


@dataclass(frozen=True)
class Vocabulary:
    """Token numbers: a prompt per world, words, numbers, marks, answers last."""

    worlds: int
    answers: tuple[str, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens, in order."""
        return (
            *map(self.prompt, range(self.worlds)),
            *WORDS,
            *NUMBERS,
            *PUNCTUATION,
            *self.answers,
        )

    @staticmethod
    def prompt(world: int) -> str:
        """What asks for a text of that world."""
        return f"World {world}:"

    def encode(self, text: str) -> list[int]:
        """Token numbers of a prompt and the text after it. ValueError for a text of other tokens,
        such as one in which prompts run together.

        >>> words = Vocabulary(2, ("\\nAnswer: A",))
        >>> [words.tokens[i] for i in words.encode("World 1: river,")]
        ['World 1:', ' river', ',']
        """
        number = {token: i for i, token in enumerate(self.tokens)}
        prompt, colon, rest = text.partition(":")
        tokens = (prompt + colon, *tokens_of(rest))
        if unknown := [token for token in tokens if token not in number]:
            raise ValueError(f"{unknown[0]!r} is no token of the language")
        return [number[token] for token in tokens]


def network(words: Vocabulary, length: int, width: int) -> GPTConfig:
    """Two blocks, learned positions."""
    return GPTConfig(
        vocabulary=len(words.tokens),
        context=length + 2,
        width=width,
        depth=2,
        heads=2,
        positions="learned",
        initial_std=0.5 / width**0.5,
    )


class Texts:
    """Texts of every member's worlds, drawn on the device in one pass over positions."""

    def __init__(
        self, worlds: Sequence[Sequence[ForkWorld]], words: Vocabulary, device: torch.device
    ) -> None:
        every = [world for group in worlds for world in group]
        self.length, self.each = every[0].length, len(worlds[0])
        tables = Tables.of(every, words.tokens)
        arrays = (tables.token, tables.to, tables.p.cumsum(-1), tables.end.cumsum(-1))
        self.token, self.to, self.bound, self.end = (torch.from_numpy(x).to(device) for x in arrays)
        self.first_answer = len(words.tokens) - len(words.answers)

    def sample(self, batch: int, generators: Sequence[torch.Generator]) -> Int[Tensor, "M B T"]:
        """Prompt, text and answer, each member's from its own generator; every world of a member is
        equally likely."""
        device = self.token.device
        which = torch.stack([torch.randint(self.each, (batch,), generator=g) for g in generators])
        which = which.to(device)
        world = which + self.each * torch.arange(len(generators), device=device)[:, None]
        rows = [torch.rand(batch, self.length + 1, 1, generator=g) for g in generators]
        chance = torch.stack(rows).to(self.bound)
        regime, out = torch.zeros_like(which), [which]
        for t in range(self.length):
            w = (chance[:, :, t] >= self.bound[world, regime, t, :-1]).sum(-1)
            out.append(self.token[world, regime, t, w])
            regime = self.to[world, regime, t, w]
        answer = (chance[:, :, -1] >= self.end[world, regime][..., :-1]).sum(-1)
        return torch.stack([*out, answer + self.first_answer], -1)


class TransformerBackend:
    """One member of a population as a language model; texts end with an answer.

    Requests whose prefixes are equally long run as one batch; a prefix is read once for all its
    continuations. What is drawn depends on the request alone.
    """

    def __init__(self, model: GPT, member: int, words: Vocabulary, name: str) -> None:
        self.model = alone(model, member)
        self.words, self._name = words, name
        self.first_answer = len(words.tokens) - len(words.answers)

    @property
    def name(self) -> str:
        return self._name

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        """By length of the prefix."""
        groups = defaultdict(list)
        for index, request in enumerate(requests):
            codes = self.words.encode(request.text)
            if codes[-1] >= self.first_answer:
                yield index, [Completion("")] * request.n
                continue
            shape = (len(codes), request.n, request.max_tokens, request.temperature)
            groups[*shape, request.logprobs].append((index, request.seed, codes))
        for (_, n, most, temperature, logprobs), members in groups.items():
            for first in range(0, len(members), 64):
                part = members[first : first + 64]
                prefixes = torch.tensor([code for *_, code in part])
                room = min(most, self.model.config.context - prefixes.shape[1])
                chance = np.stack([np.random.default_rng(s).random((n, room)) for _, s, _ in part])
                tokens, top = self._draw(prefixes, chance, temperature, logprobs)
                for row, (index, *_) in enumerate(part):
                    rows = range(row * n, row * n + n)
                    yield index, [self._spell(tokens[i], top, i) for i in rows]

    @torch.no_grad()
    def _draw(
        self,
        prefix: Int[Tensor, "B T"],
        chance: Float[ndarray, "B n L"],
        temperature: float,
        logprobs: int,
    ) -> tuple[Int[Tensor, "Bn _"], list[Float[Tensor, "Bn V"]]]:
        """n continuations of every prefix, and the probabilities at every step if asked for."""
        device = self.model.embed.weight.device
        batch, n, room = chance.shape
        uniform = torch.from_numpy(chance).view(batch * n, room).to(device)
        once, cache = Cache(self.model, batch), Cache(self.model, batch * n)
        logits = self.model(prefix.to(device)[None], cache=once)[0, :, -1].repeat_interleave(n, 0)
        cache.store[..., : once.length, :] = once.store[..., : once.length, :].repeat_interleave(
            n, 2
        )
        cache.length = once.length
        tokens, top = [], []
        done = torch.zeros(batch * n, dtype=torch.bool, device=device)
        for step in range(room):
            p = logits.double().softmax(-1)
            if temperature == 0:
                token = p.argmax(-1)
            else:
                bounds = (logits.double() / temperature).softmax(-1).cumsum(-1)
                token = (uniform[:, step, None] >= bounds[:, :-1]).sum(-1)
            tokens.append(token)
            if logprobs:
                top.append(p)
            done |= token >= self.first_answer
            if step == room - 1 or bool(done.all()):
                break
            logits = self.model(token[None, :, None], cache=cache)[0, :, -1]
        return torch.stack(tokens, 1).cpu(), top

    def _spell(self, codes: Int[Tensor, "_"], top: list[Tensor], row: int) -> Completion:
        names = self.words.tokens
        answers = (codes >= self.first_answer).nonzero()[:, 0].tolist()
        kept = codes[: answers[0] + 1] if answers else codes
        tokens = tuple(names[i] for i in kept.tolist())
        likely = tuple(
            {names[i]: float(p[row, i]) for i in p[row].topk(20).indices.tolist()}
            for p in top[: len(tokens)]
        )
        finish = "stop" if answers else "length"
        return Completion("".join(tokens), finish, tokens if top else (), likely)


def alone(model: GPT, member: int) -> GPT:
    """One member as a population of one."""
    single = GPT(model.config, [model.seeds[member]]).to(model.embed.weight.device)
    single.load_state_dict(
        {name: value[member : member + 1] for name, value in model.state_dict().items()}
    )
    return single.eval()
