"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.forking_paths.task import Recipe


class Config(StudyConfig):
    """The notebook's parameters. Every seed has worlds, samples and networks of its own."""

    worlds: int = Field(ge=4, le=2000, description="worlds per seed and length")
    lengths: tuple[int, ...] = Field(min_length=1, description="T, tokens of a text; the first is")
    samples: tuple[int, ...] = Field(min_length=2, description="S, completions per branch, rising")
    headline: int = Field(ge=2, description="S that decides the claims; one of samples")
    p_thresh: float = Field(gt=0, lt=0.5, description="tokens of this probability are branched to")
    planted: int = Field(ge=4, le=2000, description="worlds with one planted fork, per kind")
    counted: int = Field(ge=4, le=2000, description="worlds per number of forks for counting")
    noise_worlds: int = Field(ge=1, le=200, description="worlds for the law of sampling noise")
    noise_samples: tuple[int, ...] = Field(min_length=3, description="S there, rising")
    spent: tuple[int, ...] = Field(min_length=2, description="S of uniform budgets, rising")
    spent_worlds: int = Field(ge=2, le=1000, description="worlds for pooled and adaptive sampling")
    box_samples: int = Field(ge=5, le=100, description="S where every backend is asked")
    learner_worlds: int = Field(ge=1, le=20, description="worlds that a network learns")
    learner_length: int = Field(ge=30, le=120, description="tokens of their texts")
    learner_width: int = Field(ge=8, le=512, description="width of the residual stream")
    learner_steps: int = Field(ge=8, description="updates of the networks")
    learner_batch: int = Field(ge=4, le=1024, description="texts per update and network")
    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    released: bool = Field(description="analyse the released runs again (needs their file)")
    live_questions: int = Field(ge=0, le=30, description="questions per task to a language model")
    live_samples: int = Field(ge=5, le=300, description="S there")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        rules = [
            (self.headline in self.samples, "headline must be one of samples"),
            *(
                (
                    list(values) == sorted(set(values)) and min(values) > 0,
                    f"{name} must rise from 1",
                )
                for name, values in (
                    ("samples", self.samples),
                    ("noise_samples", self.noise_samples),
                    ("spent", self.spent),
                )
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        for length in self.lengths:
            Recipe(length)
        return self

    @property
    def length(self) -> int:
        """T where one length serves."""
        return self.lengths[0]
