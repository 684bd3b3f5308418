"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.forking_paths.task.world import Recipe

FIRST = ("seed", "n_seeds", "lengths", "headline", "p_thresh", "worlds")
"""What a reader turns first."""


class Config(StudyConfig):
    """The notebook's parameters. Every seed has worlds, samples and networks of its own."""

    worlds: int = Field(ge=4, le=2000, description="worlds per seed and length")
    lengths: tuple[int, ...] = Field(min_length=1, description="T, tokens of a text; the first is")
    samples: tuple[int, ...] = Field(min_length=2, description="S, completions per branch, rising")
    headline: int = Field(ge=2, description="S that decides the claims; one of samples")
    start: int = Field(ge=1, le=3000, description="completions of the prompt alone")
    p_thresh: float = Field(gt=0, lt=0.5, description="tokens of this probability are branched to")

    planted: int = Field(ge=4, le=2000, description="worlds with one planted fork, per kind")
    counted: int = Field(ge=4, le=2000, description="worlds per number of forks for counting")
    noise_worlds: int = Field(ge=1, le=200, description="worlds for the law of sampling noise")
    noise_samples: tuple[int, ...] = Field(min_length=3, description="S there, rising")
    spent: tuple[int, ...] = Field(min_length=2, description="S of uniform budgets, rising")
    spent_worlds: int = Field(ge=2, le=1000, description="worlds for pooled and adaptive sampling")
    backend_samples: int = Field(ge=5, le=100, description="S where every backend is asked")

    network_seeds: int = Field(ge=1, le=64, description="seeds of the networks")
    network_worlds: int = Field(ge=1, le=20, description="worlds that a network learns")
    network_length: int = Field(ge=30, le=120, description="tokens of their texts")
    network_width: int = Field(ge=8, le=512, description="width of the residual stream")
    network_steps: int = Field(ge=8, description="updates of the networks")
    network_batch: int = Field(ge=4, le=1024, description="texts per update and network")
    network_learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")

    released_runs: bool = Field(description="analyse the released runs again (needs their file)")
    questions: int = Field(ge=0, le=100, description="questions per task to a language model")
    question_samples: int = Field(ge=5, le=300, description="S there")
    question_start: int = Field(ge=0, le=3000, description="completions of its prompt alone")
    answer_tokens: int = Field(ge=8, le=4096, description="longest answer of it")
    k_max: int = Field(ge=1, le=20, description="most tokens tried at a position of it")
    logprobs: int = Field(ge=1, le=20, description="likely tokens that it is asked for")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        rising = {
            "samples": self.samples,
            "noise_samples": self.noise_samples,
            "spent": self.spent,
        }
        for name, values in rising.items():
            if list(values) != sorted(set(values)) or min(values) < 1:
                raise ValueError(f"{name} must rise from 1")
        if self.headline not in self.samples:
            raise ValueError("headline must be one of samples")
        for length in self.lengths:
            Recipe(length)
        return self
