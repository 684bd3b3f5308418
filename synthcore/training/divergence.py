"""Losses of a training in one tensor, and the error for one that is no longer finite.

Axis letters: M member, S steps.
"""

from jaxtyping import Float
from torch import Tensor

# Waiting for a loss stalls a GPU, so there it is looked at every so many steps.
CHECK_EVERY_ON_CUDA = 64


class DivergedError(RuntimeError):
    """A member's loss is no longer finite. `last_finite` is None if it never was."""

    def __init__(self, member: int, step: int, last_finite: float | None) -> None:
        self.member, self.step, self.last_finite = member, step, last_finite
        before = "none before was" if last_finite is None else f"the last was {last_finite:.6g}"
        super().__init__(
            f"the loss of member {member} is not finite at step {step}; {before}. "
            "A lower learning rate or clipping threshold may help."
        )


class Losses:
    """Losses (S, M) of `steps` updates, of which those in `before` were taken earlier.

    In one piece: small tensors between large ones cost gigabytes.
    """

    def __init__(self, steps: int, before: Float[Tensor, "S M"]) -> None:
        self.steps, self.done, self.checked = steps, len(before), len(before)
        self.values = before.new_empty(steps, before.shape[1])
        self.values[: self.done] = before

    def add(self, row: Float[Tensor, "M"], check: bool) -> None:
        """The losses of the next update. Raises DivergedError for one that is not finite: on a CPU
        at once, on CUDA if `check` is set or some steps later."""
        if self.done == 0:
            self.values = row.new_empty(self.steps, len(row))
        elif self.values.device != row.device:
            self.values = self.values.to(row.device)
        self.values[self.done] = row
        self.done += 1
        if check or not row.is_cuda or self.done - self.checked >= CHECK_EVERY_ON_CUDA:
            self.taken()

    def taken(self) -> Float[Tensor, "S M"]:
        """Those of the updates so far, all finite. Raises DivergedError if one is not."""
        require_finite(self.values[: self.done], self.checked, 0)
        self.checked = self.done
        return self.values[: self.done].cpu()

    def all(self) -> Float[Tensor, "S M"]:
        """Those of all updates; of updates that a rehearsal left out, the last again."""
        self.values[self.done :] = self.values[max(self.done - 1, 0) : self.done]
        return self.values.cpu()


def require_finite(losses: Float[Tensor, "S M"], checked: int, start: int) -> None:
    """Raise DivergedError for the first loss at or after index `checked` that is not finite; row i
    is the loss of step `start` + i."""
    finite = losses[checked:].isfinite()
    if bool(finite.all()):
        return
    row, member = (int(i) for i in (~finite).nonzero()[0])
    row += checked
    last_finite = losses[row - 1][member].item() if row else None
    raise DivergedError(member, start + row, last_finite)
