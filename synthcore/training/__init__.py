"""Training of populations: loops, schedules, optimisers, checkpoints. Knows nothing of tasks."""

from synthcore.training.k_adam import KAdam

__all__ = ["KAdam"]
