"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig

FIRST = ("seed", "n_seeds", "image_steps", "text_steps", "grid_betas", "grid_margins")
"""What a reader turns first."""

# Which parameters the stages read.
STREAMS = ("stream_coordinates", "stream_steps")
LAYERS = ("layer_dimension", "layer_steps")
IMAGES = ("hidden", "image_batch", "textures")
TEXT = ("text_symbols", "width", "depth", "heads", "context", "text_batch", "text_windows")
TUNING = ("lowest_rate", "first_rates", "extensions", "tuning_draws")


class Config(StudyConfig):
    """Every parameter with its type, range and meaning; the values stand in the notebook."""

    stream_coordinates: int = Field(ge=16, le=65536, description="coordinates of every stream")
    stream_steps: int = Field(ge=40, le=5000, description="steps of every stream")
    map_cells: int = Field(ge=2, le=64, description="cells per axis of the map of growth")
    etas: tuple[float, ...] = Field(
        min_length=2, description="learning rates at which the flow is compared with Adam, falling"
    )

    layer_dimension: int = Field(ge=8, le=10_000, description="weights of a simulated layer")
    layer_steps: int = Field(ge=20, le=100_000, description="steps of the simulated layers")
    equivalence_steps: int = Field(
        ge=2, le=10_000, description="steps over which 2-Adam is compared with a normalised layer"
    )
    angular_steps: int = Field(ge=20, le=100_000, description="updates of the normalised networks")

    hidden: int = Field(ge=2, le=1024, description="hidden units of the image networks")
    image_batch: int = Field(ge=2, le=1024, description="images per update and member")
    textures: int = Field(ge=100, le=200_000, description="images of the texture set")

    growth_rates: tuple[float, ...] = Field(
        min_length=1, description="learning rates under which growth is looked for"
    )
    growth_warmup: int = Field(
        ge=1, le=10_000, description="updates of warm-up, with which the last rate is run once more"
    )
    growth_steps: int = Field(ge=10, le=800, description="updates of the image networks that grow")
    curve_exponents: tuple[float, ...] = Field(
        min_length=2,
        description="values of C on the paper's curve at which a transformer's updates are watched",
    )
    watched_steps: int = Field(ge=12, le=2000, description="updates of the watched transformers")
    watched_rate: float = Field(gt=0, le=1, description="their learning rate")
    epsilon: float = Field(
        ge=0, le=1e-3, description="Adam's offset where updates are watched; 1e-8 caps growth"
    )

    text_symbols: int = Field(ge=2000, le=10**8, description="length of every seed's text")
    width: int = Field(ge=4, le=1024, description="width of the transformer's residual stream")
    depth: int = Field(ge=1, le=16, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of every block")
    context: int = Field(ge=4, le=1024, description="symbols the transformer sees")
    text_batch: int = Field(ge=1, le=1024, description="windows of text per update and member")
    text_windows: int = Field(ge=8, le=4096, description="windows of text per measured loss")
    grid_betas: tuple[float, ...] = Field(
        min_length=1, description="beta of the grid of transformers"
    )
    grid_margins: tuple[float, ...] = Field(
        min_length=3,
        description="its gammas, as 1 - lag of m / (2 lag of v): negative is outside the region",
    )
    text_steps: int = Field(ge=4, le=100_000, description="updates of the grid and on the text")

    arenas: tuple[Literal["digits", "textures", "text"], ...] = Field(
        min_length=1, description="what optimisers are compared on"
    )
    image_steps: int = Field(ge=2, le=100_000, description="updates of the comparison on images")
    lowest_rate: float = Field(gt=0, le=1, description="lowest learning rate tried at first")
    first_rates: int = Field(ge=3, le=12, description="rates tried at first, half a decade apart")
    extensions: int = Field(
        ge=0, le=12, description="how often the rates are extended where the best is at an end"
    )
    tuning_draws: int = Field(
        ge=1, le=8, description="tuning runs per seed and rate, with data and weights of their own"
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        low, high = -0.05, 0.227
        rules = [
            (
                all(low < c < high for c in self.curve_exponents),
                f"curve_exponents must lie between {low} and {high}, the ends of the curve",
            ),
            (
                min(self.curve_exponents) < 0 < max(self.curve_exponents),
                "curve_exponents must have both signs",
            ),
            (
                all(rate > 0 for rate in self.growth_rates + self.etas),
                "learning rates must be positive",
            ),
            (self.width % self.heads == 0, "heads must divide width"),
            (
                (self.width // self.heads) % 2 == 0,
                "width over heads must be even (rotary positions)",
            ),
            (
                0.05 * self.text_symbols > self.context + 1,
                "text_symbols must leave room for windows of context + 1",
            ),
            (all(0 < beta < 1 for beta in self.grid_betas), "grid_betas must lie between 0 and 1"),
            (
                all(margin < 1 for margin in self.grid_margins)
                and sum(margin > 0 for margin in self.grid_margins) >= 2
                and min(self.grid_margins) < 0,
                "grid_margins must be below 1, one at least negative and two positive",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self
