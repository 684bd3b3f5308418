"""Train a population of denoisers: one member per condition and seed, all at once.

Axis letters: M member (conditions x seeds, seeds fastest), K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synthcore.diffusion import Diffusion, Predicts
from synthcore.nn.conditioned import ConditionedMLP, ConditionedMLPConfig, Way
from synthcore.nn.unet import UNet, UNetConfig
from synthcore.studies.concept_space.model import denoiser, denoising_loss, seeded
from synthcore.studies.concept_space.task import (
    NEUTRAL,
    PROMPT,
    TARGET,
    TRAINED,
    Class,
    Examples,
    World,
    examples,
    require_split,
)
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw

Progress = Callable[[str, int, int], None]
AVERAGE_EVERY = 5


@dataclass(frozen=True)
class Recipe:
    """What a denoiser is and how it learns."""

    side: int
    network: Literal["mlp", "unet"]
    widths: tuple[int, ...]
    """units of the perceptron (one number), or channels of the U-Net at each resolution"""
    predicts: Predicts
    steps: int
    batch: int
    learning_rate: float
    weight_cap: float
    """largest weight of the squared error of the image; see `diffusion.losses.image_error`"""
    average: float
    """decay per step of the average of the weights that is asked to draw; 0 for none"""
    per_class: int
    """training images of each class"""
    checkpoints: int
    way: Way = "own"
    """how prompts enter a perceptron"""
    centred: bool = False
    """whether a perceptron reads prompts less the one that is neither red nor blue, large nor
    small"""

    @property
    def at(self) -> list[int]:
        """Steps of the checkpoints: evenly spaced in the root of the step, the untrained first."""
        root = np.linspace(0, self.steps**0.5, self.checkpoints)
        return sorted({round(float(r) ** 2) for r in root})


@dataclass(frozen=True)
class Conditions:
    """What tells the members apart: separations, and what is masked. Tuples of equal length.

    `SplitError` if training does not show what the held-out classes combine.
    """

    colour: tuple[float, ...]
    size: tuple[float, ...]
    background: tuple[float, ...] | None = None
    prompt_colour: tuple[float, ...] | None = None
    masked: tuple[float, ...] | None = None
    trained: tuple[Class, ...] = TRAINED
    spread: float = 0.5
    held_out: tuple[Class, ...] = (TARGET,)
    """classes that training must suffice to compose; none for a control that cannot"""

    def __post_init__(self) -> None:
        require_split(self.trained, self.held_out)

    def __len__(self) -> int:
        return len(self.colour)

    def world(self, seeds: int) -> World:
        """Of the whole population, every condition repeated for its seeds."""

        def each(values: tuple[float, ...] | None) -> list[float] | None:
            return None if values is None else [v for v in values for _ in range(seeds)]

        colour, size = each(self.colour), each(self.size)
        assert colour is not None
        assert size is not None
        return World.of(
            colour, size, each(self.background), each(self.prompt_colour), spread=self.spread
        )


class School:
    """A population in training: its conditions, its data and its networks."""

    def __init__(
        self,
        recipe: Recipe,
        conditions: Conditions,
        seeds: Sequence[int],
        device: torch.device,
        data: Examples | None = None,
        condition: int = PROMPT,
    ) -> None:
        self.recipe, self.conditions, self.seeds, self.device = recipe, conditions, seeds, device
        self.member_seeds = [seed for _ in range(len(conditions)) for seed in seeds]
        self.world = conditions.world(len(seeds)).to(device)
        self.model = self.fresh(self.member_seeds, condition).to(device)
        self.data = self._examples() if data is None else data

    def _examples(self) -> Examples:
        masked = self.conditions.masked
        return examples(
            self.world,
            self.conditions.trained,
            self.recipe.per_class,
            self.recipe.side,
            [seeded(seed, 1) for seed in self.member_seeds],
            None if masked is None else [a for a in masked for _ in self.seeds],
        )

    def fresh(self, seeds: Sequence[int], condition: int = PROMPT) -> Diffusion:
        """Untrained denoisers of this recipe."""
        r = self.recipe
        net: nn.Module
        if r.network == "mlp":
            centre = NEUTRAL if r.centred else ()
            layers = ConditionedMLPConfig(
                3 * r.side**2, condition, width=r.widths[0], way=r.way, centre=centre
            )
            net = ConditionedMLP(layers, seeds)
        else:
            shape = UNetConfig(
                widths=r.widths, blocks=1, condition=condition, attention=r.side >= 32
            )
            net = UNet(shape, seeds)
        return denoiser(net, len(seeds), r.predicts, learned=r.predicts == "noise")

    def train(
        self,
        look: Callable[[int, Diffusion], None],
        label: str,
        progress: Progress | None = None,
    ) -> None:
        """Train; `look(step, model)` sees the averaged weights at every checkpoint."""
        r = self.recipe
        first = self.member_seeds[0]
        batches, noise = seeded(first, 2), seeded(first, 3)
        if self.device.type != "cpu":
            batches, noise = (
                torch.Generator(self.device).manual_seed(g.initial_seed()) for g in (batches, noise)
            )
        optimizer = population_adamw(self.model, lr=r.learning_rate)
        shown: nn.Module = self.model
        if r.average:
            decay = r.average**AVERAGE_EVERY
            averaged = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay))
            shown, taken = averaged.module, [0]

            def average(*_: object) -> None:
                taken[0] += 1
                if taken[0] % AVERAGE_EVERY == 0:
                    averaged.update_parameters(self.model)

            optimizer.register_step_post_hook(average)

        def checkpoint(step: int, _: nn.Module) -> None:
            assert isinstance(shown, Diffusion)
            look(step, shown)

        def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            assert isinstance(model, Diffusion)
            return denoising_loss(model, *batch, noise, r.weight_cap)

        fit(
            self.model,
            lambda _: self.data.batch(r.batch, batches),
            steps=r.steps,
            optimizer=optimizer,
            checkpoints=r.at,
            on_checkpoint=checkpoint,
            loss=loss,
            progress=None if progress is None else lambda done, n: progress(label, done, n),
        )

    def by_condition(self, values: Tensor) -> np.ndarray:
        """(M, ...) -> (conditions, seeds, ...)."""
        folded = values.detach().cpu()
        return folded.view(len(self.conditions), len(self.seeds), *folded.shape[1:]).numpy()


def members_of(model: Diffusion, chosen: slice, like: Diffusion) -> Diffusion:
    """A population of some members of `model`: copies of their weights in `like`."""
    like.load_state_dict({name: value[chosen] for name, value in model.state_dict().items()})
    return like
