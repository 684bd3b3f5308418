"""Where optimisers are compared and updates watched: images and texts, with members of any keys.

Members with equal keys see the same data. What a batch holds depends on its key and step alone.

Axis letters: M member, U key, B batch, D inputs, T time.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.invariant import Activation, Norm, NormalisedMLP
from synthcore.studies.adam_continuous_time import task
from synthcore.studies.adam_continuous_time.config import Config
from synthcore.studies.adam_continuous_time.measure import finite
from synthcore.studies.adam_continuous_time.task import SYMBOLS, Key
from synthcore.training.losses import masked_cross_entropy, next_token_loss
from synthcore.training.seeding import seeded

Images = tuple[Float[Tensor, "M B D"], Int[Tensor, "M B"]]
BLOCK = 64  # steps whose draws come from one stream
AT_ONCE = 64  # windows or images that are evaluated together


def cross_entropy(model: nn.Module, batch: Images) -> Float[Tensor, "M"]:
    """Mean cross-entropy in nats of every member."""
    x, y = batch
    return masked_cross_entropy(model(x), y)


class Draws:
    """Rows of every key's data at a step."""

    def __init__(self, keys: Sequence[Key], counts: Sequence[int]) -> None:
        self.keys, self.counts = keys, counts
        self.block = lru_cache(maxsize=1)(self._block)

    def _block(self, number: int, size: int) -> Int[Tensor, "S U B"]:
        drawn = [
            torch.randint(count, (BLOCK, size), generator=seeded(*key, "batches", number))
            for key, count in zip(self.keys, self.counts, strict=True)
        ]
        return torch.stack(drawn, 1)

    def __call__(self, step: int, size: int) -> Int[Tensor, "U B"]:
        return self.block(step // BLOCK, size)[step % BLOCK]


class ImageArena:
    """Perceptrons of one hidden layer on images. `initial` multiplies its first weights."""

    def __init__(
        self,
        name: task.ImageSet,
        norm: Norm,
        keys: Sequence[Key],
        hidden: int,
        textures: int,
        initial: Sequence[float] | None = None,
        activation: Activation = "gelu",
        device: torch.device | str = "cpu",
    ) -> None:
        unique = sorted(set(keys))
        self.row = torch.tensor([unique.index(key) for key in keys])
        splits = [task.images(name, key, textures) for key in unique]
        self.parts = {
            part: (
                torch.stack([s.images[getattr(s, part)] for s in splits]).to(device),
                torch.stack([s.labels[getattr(s, part)] for s in splits]).to(device),
            )
            for part in ("train", "validation", "test")
        }
        self.draws = Draws(unique, [len(s.train) for s in splits])
        self.model: nn.Module = NormalisedMLP(
            (splits[0].images.shape[1], hidden, task.CLASSES),
            weight_seeds(keys),
            norm=norm,
            activation=activation,
            scale=1.0 if initial is None else torch.tensor(initial),
        ).to(device)

    def sample(self, step: int, size: int) -> Images:
        """Fresh draws from the training part."""
        x, y = self.parts["train"]
        rows = self.draws(step, size).to(x.device)
        keys = torch.arange(len(rows), device=x.device)[:, None]
        return x[keys, rows][self.row], y[keys, rows][self.row]

    def whole(self, size: int) -> Images:
        """The first `size` images of the training part."""
        x, y = self.parts["train"]
        return x[:, :size][self.row], y[:, :size][self.row]

    def loss(self, model: nn.Module, batch: Images) -> Float[Tensor, "M"]:
        """Cross-entropy; a member without a number is lost."""
        return finite(cross_entropy(model, batch))

    @torch.no_grad()
    def evaluate(self, part: str) -> Float[Tensor, "M"]:
        """Mean loss of every member on `validation` or `test`."""
        x, y = self.parts[part]
        chunks = zip(x.split(AT_ONCE, 1), y.split(AT_ONCE, 1), strict=True)
        total = sum(
            cross_entropy(self.model, (a[self.row], b[self.row])) * b.shape[1] for a, b in chunks
        )
        assert isinstance(total, Tensor)
        return finite(total / y.shape[1])


class TextArena:
    """Transformers, each on a text from a source of its own key."""

    def __init__(
        self, config: Config, keys: Sequence[Key], device: torch.device | str = "cpu"
    ) -> None:
        unique = sorted(set(keys))
        self.row = torch.tensor([unique.index(key) for key in keys])
        self.length = config.context + 1
        self.windows = config.text_windows
        texts = [task.Source.draw(key).sample(config.text_symbols, key) for key in unique]
        cut, middle = (int(share * config.text_symbols) for share in (0.9, 0.95))
        text = torch.stack(texts).to(device)  # (U, T)
        self.train = text[:, :cut]
        self.parts = {"validation": text[:, cut:middle], "test": text[:, middle:]}
        self.draws = Draws(unique, [cut - self.length] * len(unique))
        shape = GPTConfig(
            vocabulary=SYMBOLS,
            context=self.length,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            tied=False,
            initial_std=0.5 / config.width**0.5,
        )
        self.model: nn.Module = GPT(shape, weight_seeds(keys)).to(device)

    def sample(self, step: int, size: int) -> Int[Tensor, "M B T"]:
        """Windows of the training part."""
        at = self.draws(step, size)[..., None] + torch.arange(self.length)  # (U, B, T)
        at = at.to(self.train.device)
        drawn = self.train.gather(1, at.flatten(1)).view(at.shape)
        return drawn[self.row]

    def loss(self, model: nn.Module, batch: Int[Tensor, "M B T"]) -> Float[Tensor, "M"]:
        """Next-symbol cross-entropy; a member without a number is lost."""
        return finite(masked_cross_entropy(model(batch[..., :-1]), batch[..., 1:]))

    @torch.no_grad()
    def evaluate(self, part: str) -> Float[Tensor, "M"]:
        """Mean loss in nats per symbol of every member on `validation` or `test`."""
        text = self.parts[part]
        count = min(self.windows, text.shape[1] // self.length)
        windows = text[:, : count * self.length].view(len(text), count, self.length)
        total = sum(
            next_token_loss(self.model, part[self.row]) * part.shape[1]
            for part in windows.split(AT_ONCE // 4, 1)
        )
        assert isinstance(total, Tensor)
        return finite(total / count)


Arena = ImageArena | TextArena


def weight_seeds(keys: Sequence[Key]) -> list[int]:
    """Seeds of the initial weights."""
    return [seeded(*key, "weights").initial_seed() for key in keys]
