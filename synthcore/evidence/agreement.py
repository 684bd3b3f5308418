"""Two ways to one number: do they agree?"""

from typing import Any

import numpy as np

WITHIN = 1e-4  # on a CPU, where both ways add the same float32 numbers in another order
WITHIN_ELSEWHERE = 1e-2  # on a GPU, whose products are rounded differently


def agreement(left: Any, right: Any, within: float) -> str:
    """One sentence that says how closely two numbers, arrays or tensors agree.

    They agree if no entry differs by more than `within`, in the unit of the numbers. Raises
    AssertionError, which shows both numbers, if they do not, if their shapes differ, or if one of
    them is not a number.

    >>> agreement(1.60944, 1.60941, within=1e-4)
    '1.60944 and 1.60941 agree: they differ by 3.0e-05, 1e-04 is allowed.'
    """
    one, other = _array(left), _array(right)
    if one.shape != other.shape:
        raise AssertionError(f"The shapes differ: {one.shape} and {other.shape}.")
    if not one.size:
        raise AssertionError("There is nothing to compare: both are empty.")
    with np.errstate(invalid="ignore"):  # equal infinities differ by nothing
        gap = np.where(one == other, 0.0, np.abs(one - other))
    worst = np.unravel_index(np.argmax(gap), gap.shape)  # NaN counts as the largest
    pair = f"{one[worst]:.6g} and {other[worst]:.6g}"
    if gap.size > 1:
        place = ", ".join(str(index) for index in worst)
        pair += f" (of {gap.size} pairs those furthest apart, at [{place}])"
    if not gap[worst] <= within:
        raise AssertionError(f"{pair} differ by {gap[worst]:.1e}; {within:.0e} is allowed.")
    how = f"they differ by {gap[worst]:.1e}" if gap[worst] else "they do not differ at all"
    return f"{pair} agree: {how}, {within:.0e} is allowed."


def _array(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """In float64; tensors leave their graph and their device first."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value, dtype=np.float64)
