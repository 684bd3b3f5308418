"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.concept_space.school import Conditions, Recipe
from synthcore.studies.concept_space.task import LIMITS, MIDDLE


class Config(StudyConfig):
    """The notebook's parameters. Every seed has images, a network and sampling noise of its own;
    conditions of one seed differ in nothing but their separations."""

    colours: tuple[float, ...] = Field(
        min_length=3, description="Delta_c, red to blue; the main sweep, rising"
    )
    size: float = Field(gt=0, le=0.4, description="Delta_s, large to small, in the main sweep")
    side: int = Field(ge=8, le=64, description="pixels of a side of an image")
    spread: float = Field(ge=0, le=0.5, description="centres lie within this of the middle")
    per_class: int = Field(ge=8, description="training images of each class")
    network: Literal["mlp", "unet"] = Field(description="a perceptron, or a U-Net")
    widths: tuple[int, ...] = Field(
        min_length=1, description="units of the perceptron, or channels at each resolution"
    )
    predicts: Literal["image", "noise"] = Field(
        description="weighted error of the image, or the variational bound"
    )
    steps: int = Field(ge=8, description="updates")
    batch: int = Field(ge=2, le=4096, description="images per update")
    learning_rate: float = Field(gt=0, le=1, description="of AdamW, constant")
    weight_cap: float = Field(gt=0, description="largest weight of the error of an image")
    average: float = Field(ge=0, lt=1, description="decay of the drawn average of the weights")
    checkpoints: int = Field(ge=6, le=200, description="measurements, even in the root of the step")
    images: int = Field(ge=4, le=1000, description="drawn per prompt at every checkpoint")
    sampling_steps: int = Field(ge=2, le=1000, description="steps of the sampler")
    factors: tuple[float, ...] = Field(
        min_length=1, description="times as blue as the class is what prompts ask for; rising"
    )
    shrinks: tuple[float, ...] = Field(
        description="times as far below the middle radius, with the blue of the class; rising"
    )
    over: float = Field(gt=1, description="the factor that decides, chosen on other seeds")
    pushes: tuple[float, ...] = Field(
        min_length=1, description="strengths of the push inside the network; rising"
    )
    push: float = Field(gt=0, description="the strength that decides")
    sizes: tuple[float, ...] = Field(description="Delta_s of the sweep over size, rising")
    size_colour: float = Field(gt=0, le=0.8, description="Delta_c of the sweep over size")
    few_seeds: int = Field(ge=1, le=64, description="seeds of the sweep over size and the controls")
    crossed: tuple[float, float] = Field(
        description="the weak and the strong contrast of the 2x2 control; both in colours"
    )
    masks: tuple[float, ...] = Field(
        description="probabilities that a prompt hides red, rising; none for no stage"
    )
    mask_colour: float = Field(gt=0, le=0.8, description="Delta_c with masked prompts")
    three_colours: tuple[float, ...] = Field(description="Delta_c with three concepts")
    three_grounds: tuple[float, ...] = Field(
        description="Delta_b, light to dark ground, with three concepts; none for no stage"
    )
    ink_colours: tuple[float, ...] = Field(
        description="Delta_c of the inks of real digits; none for no stage"
    )
    unet_colours: tuple[float, ...] = Field(
        description="Delta_c of the sweep with U-Nets; none for no stage"
    )
    unet_seeds: int = Field(ge=1, le=64, description="its seeds, at most few_seeds")
    unet_side: int = Field(ge=8, le=64, description="its pixels of a side")
    unet_widths: tuple[int, ...] = Field(min_length=2, description="its channels")
    unet_steps: int = Field(ge=8, description="its updates")
    unet_rate: float = Field(gt=0, le=1, description="its learning rate")
    way_colours: tuple[float, ...] = Field(
        description="Delta_c at which prompts enter in other ways; none for no stage"
    )
    classifier_steps: int = Field(ge=0, description="updates of a classifier; 0 for no stage")
    classifier_widths: tuple[int, ...] = Field(min_length=1, description="its channels")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        rising: tuple[str, ...] = ("colours", "factors", "shrinks", "pushes", "sizes", "masks")
        rising += ("three_colours", "three_grounds", "ink_colours", "unet_colours", "way_colours")
        for name in rising:
            values = getattr(self, name)
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} must rise")
        rules = [
            (self.colours[0] > 0 and self.colours[-1] <= LIMITS["colour"], "colours: 0 to 0.8"),
            (all(0 < s <= LIMITS["size"] for s in self.sizes), "sizes: above 0, at most 0.4"),
            (self.over in self.factors, "over must be in factors"),
            (self.push in self.pushes, "push must be in pushes"),
            (all(s * self.size / 2 < MIDDLE for s in self.shrinks), "shrinks leave no disc"),
            (set(self.crossed) <= set(self.colours), "crossed must be in colours"),
            (all(0 <= a <= 1 for a in self.masks), "masks are probabilities"),
            (len(self.masks) not in (1, 2), "masks: none, or three and more"),
            (
                all(0 < c <= LIMITS["colour"] for c in self._further_contrasts),
                "three_colours, three_grounds, ink_colours and unet_colours: 0 to 0.8",
            ),
            (set(self.way_colours) <= set(self.colours), "way_colours must be in colours"),
            (self.crossed[0] < self.crossed[1], "crossed must rise"),
            (self.network == "mlp" or len(self.widths) > 1, "a U-Net needs two or more widths"),
            (self.network == "unet" or len(self.widths) == 1, "a perceptron has one width"),
            (not self.way_colours or self.network == "mlp", "way_colours need a perceptron"),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    @property
    def _further_contrasts(self) -> tuple[float, ...]:
        return self.three_colours + self.three_grounds + self.ink_colours + self.unet_colours

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            side=self.side,
            network=self.network,
            widths=self.widths,
            predicts=self.predicts,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_cap=self.weight_cap,
            average=self.average,
            per_class=self.per_class,
            checkpoints=self.checkpoints,
        )

    @property
    def main(self) -> Conditions:
        """Delta_c alone varies."""
        return Conditions(self.colours, (self.size,) * len(self.colours), spread=self.spread)

    @property
    def few(self) -> tuple[int, ...]:
        """The seeds of the smaller stages."""
        return tuple(range(self.seed, self.seed + self.few_seeds))
