"""Compositions of functions on words, as the explorers of compositions read them.

A composition is L pairs (d, i): position l applies function i of position d's own set; i = 0 is the
identity. It is in order where d = l. Axis letters: L positions, F functions of a position with the
identity, A symbols, K word length.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def checked_tables(tables: ArrayLike) -> NDArray[np.int64]:
    """(L, F, A) integers: function i of position d sends symbol a to tables[d, i, a].

    Raises:
        ValueError: the shape is wrong, row 0 is not the identity, or a row is no bijection.
    """
    array = np.asarray(tables)
    if array.ndim != 3 or min(array.shape) < 2:
        raise ValueError(
            f"tables must have shape (L, F, A), each at least 2: positions, functions with the "
            f"identity, symbols (got {array.shape})"
        )
    symbols = np.arange(array.shape[2])
    if not (array[:, 0] == symbols).all():
        raise ValueError("tables[:, 0] must be the identity")
    if not (np.sort(array, -1) == symbols).all():
        raise ValueError("every row of tables must be a bijection of the symbols")
    return array.astype(np.int64)


def checked_compositions(
    name: str, values: ArrayLike, tables: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(..., L, 2) integers if every pair (d, i) names a function of `tables`.

    Raises:
        ValueError: names the array and what is wrong with it.
    """
    array = np.asarray(values)
    positions, functions, _ = tables.shape
    if array.ndim < 2 or array.shape[-2:] != (positions, 2):
        raise ValueError(f"{name} must have shape (..., {positions}, 2) (got {array.shape})")
    if not ((array >= 0) & (array < [positions, functions])).all():
        raise ValueError(f"{name} must hold pairs (d, i) with d < {positions}, i < {functions}")
    return array.astype(np.int64)


def cell(composition: NDArray[np.int64]) -> tuple[int, int]:
    """(k, m): functions that are not the identity, and how many of these are displaced.

    >>> cell(np.array([[0, 1], [1, 0], [0, 2]]))  # own function, identity, function of position 0
    (2, 1)
    """
    source, index = composition.T
    active = index > 0
    return int(active.sum()), int((active & (source != np.arange(len(composition)))).sum())
