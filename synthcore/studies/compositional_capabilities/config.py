"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.compositional_capabilities.model import RELEASE, NetworkConfig
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.subsets import Condition

FIRST = ("seed", "n_seeds", "subsets", "direct_n", "width", "steps")
"""What a reader turns first."""

# Which parameters the parts of every training read; experiments add their own.
TASK = ("positions", "functions", "alphabet", "word")
SHAPE = ("width", "depth", "heads", "norm", "tied", "initial_std", "vocabulary")
TRAINING = (
    *("learning_rate", "final_learning_rate", "warmup", "beta1", "beta2"),
    *("weight_decay", "weight_decay_on", "clip", "batch", "fixed_documents", "loss_on", "bfloat16"),
)
COMMON = (*TASK, *SHAPE, *TRAINING, "words")


class Config(StudyConfig):
    """The notebook's parameters. Every seed has functions, subsets and networks of its own."""

    positions: int = Field(ge=2, le=8, description="L, functions in a composition")
    functions: int = Field(ge=1, le=24, description="N, functions of a position, no identity")
    alphabet: int = Field(ge=2, le=32, description="A, symbols")
    word: int = Field(ge=1, le=16, description="K, symbols of a word")

    width: int = Field(ge=8, le=512, description="width of the residual stream")
    depth: int = Field(ge=1, le=24, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of every block")
    norm: Literal["layer", "rms"] = Field(description="which normalisation")
    tied: bool = Field(description="whether input and output share the token table")
    initial_std: float = Field(
        ge=0, le=1, description="standard deviation of initial weights; 0 means 1 / sqrt(width)"
    )
    vocabulary: int = Field(ge=0, description="rows of the token table; 0 means as many as needed")

    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    final_learning_rate: float = Field(
        ge=0, le=1, description="where the cosine ends, as a share of the peak"
    )
    warmup: int = Field(
        ge=0, description="updates of linear warm-up, at most a quarter of a training"
    )
    beta1: float = Field(ge=0, lt=1, description="decay of AdamW's first moment")
    beta2: float = Field(gt=0, lt=1, description="decay of AdamW's second moment")
    weight_decay: float = Field(ge=0, le=10, description="AdamW's decoupled weight decay")
    weight_decay_on: Literal["all", "matrices"] = Field(
        description="what decays: all weights, or matrices and tables only"
    )
    clip: float = Field(gt=0, description="largest gradient norm of a member")
    batch: int = Field(ge=1, le=4096, description="documents per update and member")
    fixed_documents: int = Field(
        ge=0, description="training documents, read in random order, again and again; 0: all fresh"
    )
    loss_on: Literal["all", "answer"] = Field(
        description="which tokens the loss counts: all, or those after the prompt"
    )
    bfloat16: bool = Field(description="bf16 products in training (CUDA only)")

    subsets: tuple[str, ...] = Field(
        min_length=1, description="what stepwise networks are trained on; see the table of subsets"
    )
    steps: int = Field(ge=8, description="updates, stepwise networks")
    checkpoints: int = Field(ge=3, le=100, description="measurements, evenly spaced in log steps")
    words: int = Field(ge=1, le=1000, description="words per composition where means are measured")
    mastery_words: int = Field(
        ge=1, le=10_000, description="words that decide whether a composition is mastered"
    )
    cell_samples: int = Field(ge=1, le=1000, description="compositions tested in each (k, m)")

    direct_n: tuple[int, ...] = Field(
        min_length=1, description="sizes of the random subsets of direct networks, rising"
    )
    direct_steps: int = Field(ge=8, description="updates, direct networks")

    one_layer_n: int = Field(ge=1, description="size of the one-layer network's random subset")
    one_layer_steps: int = Field(ge=8, description="updates of the one-layer network")

    further_seeds: int = Field(ge=1, le=64, description="seeds of the experiments that follow")
    sweep_functions: tuple[int, ...] = Field(
        min_length=1, description="N in the sweep of training sets, rising"
    )
    sweep_n: tuple[int, ...] = Field(
        min_length=2, description="compositions trained on in that sweep, rising"
    )
    sweep_steps: int = Field(ge=8, description="updates in the sweep of training sets")
    slot_functions: int = Field(ge=2, le=24, description="N of the two-slot task")
    slot_n: tuple[int, ...] = Field(min_length=2, description="sizes of its subsets, rising")
    slot_control: tuple[int, ...] = Field(
        min_length=1, description="the same for a bijection after a bijection"
    )
    slot_decides: int = Field(ge=2, description="the size at which the two-slot claim is decided")
    slot_depth: int = Field(ge=1, le=24, description="blocks of networks in the two-slot task")
    slot_steps: int = Field(ge=8, description="updates, two-slot task")
    depths: tuple[int, ...] = Field(min_length=2, description="layers in the depth sweep, rising")
    depth_n: int = Field(ge=1, description="size of the direct networks' subset in the depth sweep")
    sweep_heads: tuple[int, ...] = Field(
        min_length=1, description="attention heads in the depth sweep, step by step; rising"
    )
    depth_steps: int = Field(ge=8, description="updates in the depth sweep")
    lstm_n: int = Field(ge=1, description="size of the random subset that an LSTM is trained on")
    lstm_width: int = Field(ge=8, le=512, description="cells of a layer of the LSTM")
    lstm_depth: int = Field(ge=1, le=8, description="layers of the LSTM")
    lstm_learning_rate: float = Field(gt=0, le=1, description="its peak learning rate")
    lstm_weight_decay: float = Field(ge=0, le=10, description="its weight decay")
    lstm_steps: int = Field(ge=8, description="updates of the LSTM")
    deep_seeds: int = Field(ge=1, le=64, description="seeds of the networks that are read")
    deep_layers: tuple[int, ...] = Field(
        min_length=1, description="layers of the networks that are read, rising"
    )
    deep_width: int = Field(ge=8, le=512, description="their width")
    deep_heads: int = Field(ge=1, le=64, description="their attention heads")
    deep_settings: Literal["release", "shared"] = Field(
        description="how they are built and trained: as in the release, or as the others here"
    )
    deep_steps: int = Field(ge=8, description="their updates")
    bias_steps: int = Field(ge=8, description="updates in the order-bias tests")
    coverage: tuple[int, ...] = Field(
        min_length=2,
        description="all-displaced compositions beside in-order ones in the order-bias tests",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        whole = (self.functions + 1) ** self.positions
        drawn = max(*self.direct_n, self.one_layer_n, self.depth_n, self.lstm_n)
        pairs = (self.slot_functions + 1) ** 2
        slots = (*self.slot_n, *self.slot_control)
        rising = ("direct_n", "slot_n", "sweep_functions", "sweep_n", "depths", "sweep_heads")
        rules = [
            (drawn < whole, f"subsets must be below {whole}"),
            *(
                (_rising(getattr(self, name)), f"{name} must be positive and rise")
                for name in (*rising, "deep_layers")
            ),
            (max(slots) < pairs, f"slot_n and slot_control must be below {pairs}"),
            (
                self.slot_decides in self.slot_n and self.slot_decides in self.slot_control,
                "slot_decides must be in slot_n and slot_control",
            ),
            (len(set(self.subsets)) == len(self.subsets), "subsets must differ"),
            (
                {f"random {n}" for n in self.direct_n} <= set(self.subsets),
                "subsets must hold 'random n' for every n of direct_n",
            ),
            (self.heads in self.sweep_heads, f"sweep_heads needs {self.heads}"),
            (
                max(self.sweep_n) < (self.sweep_functions[-1] + 1) ** self.positions,
                "sweep_n must fit into the largest set of the sweep",
            ),
            (self.coverage[0] == 0, "coverage must begin with 0"),
            (
                self.vocabulary == 0 or self.vocabulary >= self.layout.vocabulary,
                f"vocabulary must be 0 or at least {self.layout.vocabulary}",
            ),
            *(
                (self.width % heads == 0, f"width must be divisible by {heads} heads")
                for heads in {self.heads, *self.sweep_heads}
            ),
            (self.deep_width % self.deep_heads == 0, "deep_heads must divide deep_width"),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        for condition in self.conditions:
            if condition.kind == "random" and condition.size(self.layout) >= whole:
                raise ValueError(f"subsets must be below {whole}, the size of the set")
        return self

    @property
    def layout(self) -> Layout:
        """Sizes of the task."""
        return Layout(self.positions, self.functions, self.alphabet, self.word)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the stepwise networks are trained on."""
        return tuple(Condition.parse(text) for text in self.subsets)

    @property
    def two_slots(self) -> Layout:
        """Sizes of the task of two functions."""
        return Layout(2, self.slot_functions, self.alphabet, self.word)

    def network(self, steps: int, **changed: Any) -> NetworkConfig:
        """The network and training that all experiments share, but for what one changes."""
        network = NetworkConfig(
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            norm=self.norm,
            tied=self.tied,
            initial_std=self.initial_std,
            vocabulary=self.vocabulary,
            steps=steps,
            batch=self.batch,
            documents=self.fixed_documents,
            loss_on=self.loss_on,
            learning_rate=self.learning_rate,
            final=self.final_learning_rate,
            warmup=self.warmup,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            decayed=self.weight_decay_on,
            clip=self.clip,
            bfloat16=self.bfloat16,
        )
        return replace(network, **changed)

    def deep_network(self, depth: int) -> NetworkConfig:
        """The network of so many layers that is read: as in the release, or as the others."""
        shape: dict[str, Any] = {"depth": depth, "width": self.deep_width, "heads": self.deep_heads}
        if self.deep_settings == "release":
            return replace(RELEASE, steps=self.deep_steps, bfloat16=self.bfloat16, **shape)
        return self.network(self.deep_steps, **shape)


def _rising(values: tuple[int, ...]) -> bool:
    return values[0] > 0 and list(values) == sorted(set(values))
