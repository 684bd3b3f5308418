"""The closed forms: which change of the matrix writes a value at a key.

W maps a key k to W k + b. C is the covariance of keys, r = v - (W k + b) the residual: what is
missing from the value v. Papers write Delta as outputs x inputs; here a change is in factors:
`left` (K, F) reads keys, `right` (F, D) is what is added, Delta = (left right)^T. All facts of an
edit stand together, and members and edits are independent. float64 is meant.

Axis letters: M member, E edit, F fact of an edit, L facts of earlier edits, K = K2 hidden width of
the MLP (inputs of the matrix), D width of what it writes. For one matrix and one edit M = E = 1.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Square = Float[Tensor, "M K K2"]
Keys = Float[Tensor, "M E F K"]
Residuals = Float[Tensor, "M E F D"]
Left = Float[Tensor, "M E K F"]


def add_ridge(C: Square, ridge: float) -> Square:
    """C + ridge tr(C) / K. ValueError if that is singular to working precision, or not square."""
    K = C.shape[-1]
    if C.shape[-2] != K:
        raise ValueError(f"a covariance of keys must be square (got {C.shape[-2]} x {K})")
    mean = C.diagonal(dim1=-2, dim2=-1).mean(-1)
    C = C + ridge * mean[:, None, None] * torch.eye(K, dtype=C.dtype, device=C.device)
    spectrum = torch.linalg.eigvalsh(C)
    bad = ~(spectrum[:, 0] > K * torch.finfo(C.dtype).eps * spectrum[:, -1])  # also nan
    if bool(bad.any()):
        member = int(bad.nonzero()[0])
        raise ValueError(
            f"the covariance of keys of member {member} is singular: "
            "give more tokens than the MLP is wide, or a ridge above 0"
        )
    return C


def solve(C: Square, keys: Keys) -> Keys:
    """C^-1 k for every key."""
    M, E, F, K = keys.shape
    found: Tensor = torch.linalg.solve(C, keys.view(M, E * F, K).transpose(1, 2))
    return found.transpose(1, 2).reshape(M, E, F, K)


def spread_residual(residual: Residuals, blocks: int, square_root: bool) -> Residuals:
    """The share of a residual that the next of `blocks` blocks writes, those behind it the rest.

    One part of `blocks` as in MEMIT (Meng et al. 2023, arXiv:2210.07229, Algorithm 1), or with
    `square_root` one of sqrt(blocks), as in PMET (Li et al. 2024, arXiv:2308.08742).
    """
    return residual / (math.sqrt(blocks) if square_root else blocks)


def rome(
    C: Square, mean_key: Keys, key: Keys, residual: Residuals
) -> tuple[Left, Residuals, Float[Tensor, "M E F"]]:
    """ROME: Delta = r u^T / (k . u) with u = C^-1 k_mean, normed. One fact per edit.

    With k_mean = k this is the change of least tr(Delta C Delta^T) under which W k + b = v.

    Args:
        mean_key: the key averaged over prompts with contexts.
        key: the key of the bare prompt, which the value is written at.
        residual: what is missing from the value there.

    Returns:
        left, right, and k . u, which must not be small: the change goes with its inverse.

    Source: Meng et al. 2022 (arXiv:2202.05262), Eq. 2; the averaged key is their Eq. 3.
    """
    direction = torch.nn.functional.normalize(solve(C, mean_key), dim=-1)
    overlap = (key * direction).sum(-1)
    left = direction / overlap[..., None]
    return left.transpose(2, 3), residual, overlap


def memit(C: Square, key: Keys, residual: Residuals, weight: float) -> tuple[Left, Residuals]:
    """MEMIT and PMET: Delta = R K^T (weight C + K K^T)^-1 for all facts of an edit together.

    PMET differs in the value that is searched for and in how residuals are spread over blocks. One
    fact: q / (weight + q) times ROME's change, q = k^T C^-1 k, and E q = K over the keys that C was
    made of. Computed as C^-1 K (weight + K^T C^-1 K)^-1.

    Args:
        weight: how much old keys count, lambda of the paper.

    Source: Meng et al. 2023 (arXiv:2210.07229), Eq. 14 and 15; Li et al. 2024 (arXiv:2308.08742).
    """
    whitened = solve(C, key)  # (M, E, F, K)
    gram = key @ whitened.transpose(2, 3)  # (M, E, F, F)
    small = gram + weight * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(small, whitened).transpose(2, 3), residual


def null_space_projector(C: Square, share: float) -> Square:
    """P, which projects on the `share` of directions in which keys have least power.

    By rank, not by a threshold on eigenvalues as in AlphaEdit's code, which would depend on the
    scale of the keys. At least one direction.
    """
    K = C.shape[-1]
    count = max(1, round(share * K))
    _, vectors = torch.linalg.eigh(C)  # rising
    quiet = vectors[..., :count]
    return quiet @ quiet.transpose(1, 2)


def alphaedit(
    P: Square,
    key: Keys,
    residual: Residuals,
    weight: float,
    earlier: Float[Tensor, "M E L K"] | None = None,
) -> tuple[Left, Residuals]:
    """AlphaEdit: [P (K K^T + K_p K_p^T) + lambda] Delta^T = P K R^T. What P projects away is left
    alone: Delta k = 0 where P k = 0.

    Args:
        weight: lambda, in units of the median of k^T P k over the facts of a member.
        earlier: keys K_p of edits made before, which this change should leave alone too.

    Source: Fang et al. 2025 (arXiv:2410.02355), as in the authors' code (`AlphaEdit_main.py`).
    """
    projected = key @ P[:, None]  # (M, E, F, K)
    power = (projected * key).sum(-1)
    level = weight * power.flatten(1).median(1).values.clamp_min(torch.finfo(key.dtype).tiny)
    both = projected if earlier is None else torch.cat([projected, earlier @ P[:, None]], 2)
    # (K~ K~^T + lambda)^-1 K~ = K~ (K~^T K~ + lambda)^-1, with all keys; ours are the first F
    gram = both @ both.transpose(2, 3)
    small = gram + level[:, None, None, None] * torch.eye(
        gram.shape[-1], dtype=gram.dtype, device=gram.device
    )
    left = torch.linalg.solve(small, both)[..., : key.shape[2], :]
    return left.transpose(2, 3), residual
