"""Colour, size and background of a disc as concepts with two values each: images, prompts, splits.

A class is one choice per concept, written as bits in the order of `CONCEPTS`: (0, 0) is a large red
disc, (1, 1) the small blue one that training leaves out. A prompt is a vector of 11 numbers that
holds the *actual* colour and radius of the image, not a label; so the contrast between prompts
shrinks with the contrast between images, unless `prompt_colour` says otherwise.

Axis letters: M member, B batch, N examples, K classes, C concepts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.concept_space.scenes import Scene, render

CONCEPTS = ("colour", "size", "background")
VALUES = (("red", "blue"), ("large", "small"), ("light", "dark"))
PROMPT = 11
RGB, RADIUS, GROUND = slice(4, 7), 7, slice(8, 11)
MASKED = -1.0
"""what stands in the prompt in place of a colour that is not told"""
LIMITS = {"colour": 0.8, "size": 0.4, "background": 0.8}
MIDDLE = 0.45
"""radius half-way between large and small"""
NEUTRAL = (0.0,) * RGB.start + (0.5,) * 3 + (MIDDLE,) + (0.0,) * 3
"""the prompt half-way between all classes of two concepts"""

Class = tuple[int, ...]
TRAINED: tuple[Class, ...] = ((0, 0), (0, 1), (1, 0))
TARGET: Class = (1, 1)


class SeparationError(ValueError):
    """Two values of a concept lie further apart than images can show, or not apart at all."""


class SplitError(ValueError):
    """Training leaves out so much that the held-out classes could not be inferred."""


def words(kind: Class) -> str:
    """A class in words.

    >>> words((1, 1)), words((0, 1, 1))
    ('blue small', 'red small dark')
    """
    return " ".join(VALUES[concept][value] for concept, value in enumerate(kind))


def require_split(trained: Sequence[Class], held_out: Sequence[Class]) -> None:
    """`SplitError` unless training shows every value of every concept that the held-out classes
    combine, and none of those classes itself."""
    if not trained:
        raise SplitError("training needs at least one class")
    for kind in held_out:
        if kind in trained:
            raise SplitError(f"{words(kind)} is held out and must not be trained on")
        for concept, value in enumerate(kind):
            if all(shown[concept] != value for shown in trained):
                raise SplitError(
                    f"no training class is {VALUES[concept][value]}, "
                    f"so {words(kind)} could not be composed"
                )


@dataclass(frozen=True)
class World:
    """How far apart the values of every concept lie, one number per member.

    `background` 0 is the nuisance of the two-concept task: uniform on [.8, 1], and not told.
    `SeparationError` outside the limits of the concept.
    """

    colour: Float[Tensor, "M"]
    size: Float[Tensor, "M"]
    background: Float[Tensor, "M"]
    prompt_colour: Float[Tensor, "M"]
    spread: float
    """centres are uniform on [-spread, spread] in both directions"""

    @classmethod
    def of(
        cls,
        colour: Sequence[float],
        size: Sequence[float],
        background: Sequence[float] | None = None,
        prompt_colour: Sequence[float] | None = None,
        spread: float = 0.5,
    ) -> "World":
        """From one separation per member and concept. Prompts are as far apart as colours.

        >>> World.of([0.2, 0.8], [0.4, 0.4]).prompts([TARGET])[0, 0, 4:8]
        tensor([0.4000, 0.4000, 0.6000, 0.2500])
        """
        third = [0.0] * len(colour) if background is None else background
        for name, values in (("colour", colour), ("size", size), ("background", third)):
            for value in values:
                lowest = 0 if name == "background" else 1e-6
                if not lowest <= value <= LIMITS[name]:
                    raise SeparationError(
                        f"the separation of {name} must be above 0 and at most {LIMITS[name]} "
                        f"(got {value})"
                    )
        told = colour if prompt_colour is None else prompt_colour
        columns = [torch.as_tensor(v, dtype=torch.float32) for v in (colour, size, third, told)]
        apart, sizes, grounds, prompts = columns
        return cls(apart, sizes, grounds, prompts, spread)

    @property
    def members(self) -> int:
        return len(self.colour)

    @property
    def three(self) -> bool:
        """Whether the background is a concept."""
        return bool((self.background > 0).any())

    def to(self, device: torch.device) -> "World":
        names = ("colour", "size", "background", "prompt_colour")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def mean(self, bits: Int[Tensor, "M B C"]) -> Scene:
        """Scenes at the class means, in the middle of the image, on the mean background."""
        sign = 2.0 * bits - 1  # -1 for the first value of a concept, 1 for the second
        half = self.colour[:, None] / 2
        tint = torch.stack([-sign[..., 0], -torch.ones_like(sign[..., 0]), sign[..., 0]], -1)
        ground = torch.full_like(tint, 0.9)
        if self.three:
            told = 0.5 - sign[..., 2] * self.background[:, None] / 2
            ground = torch.where(self.background[:, None, None] > 0, told[..., None], ground)
        nowhere = torch.zeros_like(sign[..., 0])
        return Scene(
            colour=0.5 + tint * half[..., None],
            radius=MIDDLE - sign[..., 1] * self.size[:, None] / 2,
            background=ground,
            x=nowhere,
            y=nowhere,
        )

    def sample(
        self, bits: Int[Tensor, "M B C"], generator: torch.Generator, jitter: bool = True
    ) -> Scene:
        """Scenes of these classes at random places; `jitter` varies colour and size within them."""
        mean = self.mean(bits)

        def uniform(like: Tensor) -> Tensor:
            drawn = torch.rand(like.shape, generator=generator, device=like.device)
            return 2 * drawn - 1

        known = self.background[:, None, None] > 0
        width = torch.where(known, self.background[:, None, None] / 8, 0.1)
        within = float(jitter)
        return Scene(
            colour=mean.colour + within * uniform(mean.colour) * self.colour[:, None, None] / 8,
            radius=(mean.radius + within * uniform(mean.radius) * self.size[:, None] * 3 / 8).clamp(
                min=0.1
            ),
            background=mean.background
            + torch.where(known, within * width, width) * uniform(mean.background),
            x=self.spread * uniform(mean.x),
            y=self.spread * uniform(mean.y),
        )

    def prompt(self, scene: Scene) -> Float[Tensor, "M B 11"]:
        """What a prompt tells of a scene: colour, radius and, where it is a concept, background."""
        out = scene.radius.new_zeros(*scene.radius.shape, PROMPT)
        scale = (self.prompt_colour / self.colour)[:, None, None]
        out[..., RGB] = 0.5 + (scene.colour - 0.5) * scale
        out[..., RADIUS] = scene.radius
        known = self.background[:, None, None] > 0
        out[..., GROUND] = torch.where(known, scene.background, out[..., GROUND])
        return out

    def prompts(self, kinds: Sequence[Class]) -> Float[Tensor, "M K 11"]:
        """The prompts one would write: class means."""
        return self.prompt(self.mean(self.bits(kinds)))

    def bits(self, kinds: Sequence[Class]) -> Int[Tensor, "M K C"]:
        table = torch.tensor(kinds, device=self.colour.device)
        return table.expand(self.members, *table.shape)


def more_blue(
    prompts: Float[Tensor, "*batch 11"], amount: float | Tensor
) -> Float[Tensor, "*batch 11"]:
    """Prompts whose colour is replaced by a blue of this contrast: (.5 - a/2, .5 - a/2, .5 + a/2).

    >>> more_blue(torch.zeros(1, 11), 0.9)[0, 4:7]
    tensor([0.0500, 0.0500, 0.9500])
    """
    half = torch.as_tensor(amount, dtype=prompts.dtype, device=prompts.device) / 2
    out = prompts.clone()
    out[..., RGB] = torch.stack([0.5 - half, 0.5 - half, 0.5 + half], -1)
    return out


@dataclass(frozen=True)
class Examples:
    """A fixed training set of every member."""

    images: Float[Tensor, "M N 3 S S"]
    prompts: Float[Tensor, "M N 11"]

    def batch(
        self, size: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "M B 3 S S"], Float[Tensor, "M B 11"]]:
        """The same draw of examples for every member: they hold the same scenes, up to the
        separations."""
        here = self.images.device
        chosen = torch.randint(self.images.shape[1], (size,), generator=generator, device=here)
        return self.images[:, chosen], self.prompts[:, chosen]


def examples(
    world: World,
    kinds: Sequence[Class],
    per_class: int,
    side: int,
    generators: Sequence[torch.Generator],
    masked: Sequence[float] | None = None,
) -> Examples:
    """Images and prompts of these classes, `per_class` of each, from one generator per member.

    `masked[m]` is the probability with which the colour of a red image is not told to member m.
    """
    device = world.colour.device
    bits = world.bits(kinds).repeat_interleave(per_class, 1)
    images, prompts = [], []
    for m, generator in enumerate(generators):
        own = replace(
            world,
            colour=world.colour[m : m + 1],
            size=world.size[m : m + 1],
            background=world.background[m : m + 1],
            prompt_colour=world.prompt_colour[m : m + 1],
        )
        scene = own.sample(bits[m : m + 1], generator)
        told = own.prompt(scene)
        if masked is not None and masked[m] > 0:
            drawn = torch.rand(told.shape[:2], generator=generator, device=device) < masked[m]
            hidden = drawn & (bits[m : m + 1, :, 0] == 0)
            told[..., RGB] = torch.where(hidden[..., None], MASKED, told[..., RGB])
        images.append(render(scene, side, generator))
        prompts.append(told)
    return Examples(torch.cat(images), torch.cat(prompts))
