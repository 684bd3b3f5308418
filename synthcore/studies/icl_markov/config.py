"""The notebook's parameters: process, network, training, measurement, and experiments."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig

Weighting = Literal["normalised-uniform", "dirichlet", "uniform"]

FIRST = ("seed", "n_seeds", "diversities", "steps", "states", "length")
"""What a reader turns first."""

# Which parameters the parts of every training read; experiments add their own.
PROCESS = ("states", "length", "weighting")
NETWORK = (
    *("width", "depth", "heads", "mlp_ratio", "vocabulary", "tied", "norm", "bias"),
    *("positions", "initial_std"),
)
TRAINING = (
    *("batch", "learning_rate", "final_learning_rate", "warmup", "beta1", "beta2"),
    *("weight_decay", "weight_decay_on", "clip", "bfloat16"),
)
MEASUREMENT = (
    *("checkpoints", "first_checkpoint", "evaluation_sequences"),
    *("contexts", "shuffled_contexts"),
)
COMMON = (*PROCESS, *NETWORK, *TRAINING, *MEASUREMENT)


class Config(StudyConfig):
    """Every parameter with its type, range and meaning; the values stand in the notebook."""

    states: int = Field(ge=2, le=64, description="k, symbols of every chain")
    length: int = Field(ge=8, le=2048, description="l, tokens of every sequence")
    diversities: tuple[int, ...] = Field(
        min_length=1, description="N, training chains; one condition each"
    )
    weighting: Weighting = Field(description="how the mixture weights p are drawn")

    width: int = Field(ge=4, le=1024, description="width of the residual stream")
    depth: int = Field(ge=1, le=16, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of every block")
    mlp_ratio: float = Field(
        ge=0, le=16, description="hidden width of the MLPs over width; 0 leaves attention only"
    )
    vocabulary: int = Field(ge=0, description="size of the token table; 0 means as many as needed")
    tied: bool = Field(description="whether input and output share the token table")
    norm: Literal["layer", "rms"] = Field(description="which normalisation")
    bias: bool = Field(description="whether linear layers and norms have a bias")
    positions: Literal["rotary", "learned"] = Field(description="how positions enter")
    initial_std: float = Field(gt=0, le=1, description="standard deviation of the initial weights")

    steps: int = Field(ge=2, description="updates")
    batch: int = Field(ge=1, description="fresh sequences per update and member")
    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    final_learning_rate: float = Field(
        ge=0, le=1, description="where the cosine ends, as a share of the peak; 1 is constant"
    )
    warmup: int = Field(ge=0, description="updates of linear warm-up")
    beta1: float = Field(ge=0, lt=1, description="decay of AdamW's first moment")
    beta2: float = Field(gt=0, lt=1, description="decay of AdamW's second moment")
    weight_decay: float = Field(ge=0, le=10, description="AdamW's decoupled weight decay")
    weight_decay_on: Literal["all", "matrices"] = Field(
        description="what decays: all weights, or matrices and tables only"
    )
    clip: float = Field(gt=0, description="largest gradient norm of a member")
    bfloat16: bool = Field(description="bf16 products in training (CUDA only)")

    checkpoints: int = Field(ge=2, le=500, description="measurements, evenly spaced in log steps")
    first_checkpoint: int = Field(
        ge=1, description="first measured update after the untrained network"
    )
    evaluation_sequences: int = Field(
        ge=4, description="ID sequences, and OOD sequences, per member"
    )
    contexts: tuple[int, ...] = Field(
        min_length=1, description="context lengths c at which everything is measured"
    )
    shuffled_contexts: tuple[int, ...] = Field(
        min_length=1, description="those of them that are also read in random order"
    )

    positions_seeds: int = Field(ge=1, le=64, description="seeds of the comparison of positions")
    positions_diversity: int = Field(ge=1, description="N at which positions are compared")
    positions_steps: int = Field(ge=2, description="updates of the comparison of positions")
    positions_initial_std: float = Field(
        gt=0, le=1, description="initial weights of the comparison of positions"
    )

    transience_seeds: int = Field(ge=1, le=64, description="seeds of the long run")
    transience_control_seeds: int = Field(
        ge=1, le=64, description="seeds of the long run that never sees a chain twice"
    )
    transience_diversity: int = Field(ge=1, description="N of the long run")
    transience_width: int = Field(ge=4, le=1024, description="width of the long run's networks")
    transience_heads: int = Field(ge=1, le=64, description="their attention heads")
    transience_steps: int = Field(ge=2, description="updates of the long run")
    transience_checkpoints: int = Field(ge=2, le=500, description="measurements of the long run")
    transience_learning_rate: float = Field(gt=0, le=1, description="its constant learning rate")

    many_states: int = Field(ge=2, le=64, description="k of the run with more states")
    many_states_seeds: int = Field(ge=1, le=64, description="seeds of the run with more states")
    many_states_length: int = Field(ge=8, le=2048, description="tokens of its sequences")
    many_states_diversities: tuple[int, ...] = Field(min_length=1, description="its N")
    many_states_steps: int = Field(ge=2, description="its updates")
    many_states_learning_rate: float = Field(gt=0, le=1, description="its constant learning rate")
    many_states_contexts: tuple[int, ...] = Field(min_length=1, description="its context lengths")
    ascent_diversity: int = Field(ge=1, description="N of the short run with more states")
    ascent_steps: int = Field(ge=2, description="updates of the short run with more states")
    ascent_sequences: int = Field(
        ge=4, description="ID sequences, and OOD sequences, on which it is measured"
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        asked = (*self.diversities, *self.many_states_diversities)
        rules = [
            (min(asked) >= 1, "every diversity N must be at least 1"),
            (len(self.diversities) > 1, "diversities must be two or more, ascending"),
            *(
                (list(some) == sorted(set(some)), f"{name} must ascend")
                for name, some in (
                    ("diversities", self.diversities),
                    ("many_states_diversities", self.many_states_diversities),
                )
            ),
            *_contexts("contexts", self.contexts, self.length),
            *_contexts("many_states_contexts", self.many_states_contexts, self.many_states_length),
            (
                set(self.shuffled_contexts) <= set(self.contexts),
                "shuffled_contexts must be among contexts",
            ),
            (
                self.states in self.shuffled_contexts,
                "shuffled_contexts must hold the number of states",
            ),
            (self.warmup < self._shortest, "warmup must be shorter than every training"),
            (self.first_checkpoint <= self.steps, "first_checkpoint must not exceed steps"),
            (
                self.vocabulary == 0 or self.vocabulary >= max(self.states, self.many_states),
                "vocabulary must be 0 or hold every token",
            ),
            (self.width % self.heads == 0, "heads must divide width"),
            (
                self.transience_width % self.transience_heads == 0,
                "transience_heads must divide transience_width",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    @property
    def _shortest(self) -> int:
        return min(
            *(self.steps, self.positions_steps, self.transience_steps),
            *(self.many_states_steps, self.ascent_steps),
        )


def _contexts(name: str, contexts: tuple[int, ...], length: int) -> list[tuple[bool, str]]:
    return [
        (min(contexts) >= 1, f"every one of {name} must be at least 1"),
        (max(contexts) <= length, f"{name} must not exceed the length {length}"),
        (list(contexts) == sorted(set(contexts)), f"{name} must ascend"),
    ]
