"""What the stages of the experiment share."""

from collections.abc import Callable

import torch

Progress = Callable[[str, int, int], None]


def seeded(seed: int, stream: int) -> torch.Generator:
    """A CPU generator of its own for every pair of numbers."""
    return torch.Generator().manual_seed(1_000_003 * stream + seed)
