"""Random streams that are named by a key, so that none depends on how often another was used."""

import hashlib

import numpy as np
import torch


def seeded(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for this key; different keys give independent streams.

    A key is a seed and what tells one use of it from another: whole numbers of at least 0 (a
    negative one raises ValueError), or words, which stand for a hash of their UTF-8 bytes. Zeros
    at the end of a key do not count. The same key gives the same numbers on every machine, on the
    CPU; another `device` has a stream of its own.

    Source: `numpy.random.SeedSequence`, which spreads a key over 63 bits.

    >>> torch.rand(2, generator=seeded(0, "chains")), torch.rand(2, generator=seeded(0, "walks"))
    (tensor([0.2317, 0.2390]), tensor([0.2573, 0.3855]))
    """
    numbers = [_number(part) if isinstance(part, str) else part for part in key]
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> 1))


def _number(word: str) -> int:
    """The first 64 bits of a word's SHA-256."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
