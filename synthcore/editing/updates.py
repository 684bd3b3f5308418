"""The closed forms: which change of the matrix writes a value at a key.

W maps a key k to W k + b. An update is W + right left^T, in factors: `left` (K, F) reads keys,
`right` (F, D) is written. C is the second moment of keys, r = v - (W k + b) what is missing.
float64.

Axis letters: M member, E edit, F fact, K hidden width, D width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Square = Float[Tensor, "M K K2"]
Keys = Float[Tensor, "M E F K"]


def with_ridge(C: Square, ridge: float) -> Square:
    """C + ridge tr(C) / K. ValueError if that is singular to working precision."""
    K = C.shape[-1]
    mean = C.diagonal(dim1=-2, dim2=-1).mean(-1)
    C = C + ridge * mean[:, None, None] * torch.eye(K, dtype=C.dtype, device=C.device)
    spectrum = torch.linalg.eigvalsh(C)
    bad = spectrum[:, 0] <= K * torch.finfo(C.dtype).eps * spectrum[:, -1]
    if bool(bad.any()):
        member = int(bad.nonzero()[0])
        raise ValueError(
            f"the second moment of keys of member {member} is singular: "
            "give more tokens than the MLP is wide, or a ridge above 0"
        )
    return C


def solve(C: Square, keys: Keys) -> Keys:
    """C^-1 k for every key."""
    M, E, F, K = keys.shape
    found: Tensor = torch.linalg.solve(C, keys.view(M, E * F, K).transpose(1, 2))
    return found.transpose(1, 2).reshape(M, E, F, K)


def rome(
    C: Square, mean_key: Keys, key: Keys, missing: Float[Tensor, "M E F D"]
) -> tuple[Float[Tensor, "M E K F"], Float[Tensor, "M E F D"], Float[Tensor, "M E F"]]:
    """left = u / (k . u) with u = C^-1 k_mean, normed; right = r. One fact per edit.

    With k_mean = k this is the change of least tr(Delta C Delta^T) under which W k + b = v. Also
    returned: k . u, which must not be small. Source: Meng et al. 2022 (arXiv:2202.05262), Eq. 2.
    """
    direction = torch.nn.functional.normalize(solve(C, mean_key), dim=-1)
    overlap = (key * direction).sum(-1)
    left = direction / overlap[..., None]
    return left.transpose(2, 3), missing, overlap


def ridge_solution(
    C: Square, key: Keys, missing: Float[Tensor, "M E F D"], weight: float
) -> tuple[Float[Tensor, "M E K F"], Float[Tensor, "M E F D"]]:
    """Delta = R K^T (weight C + K K^T)^-1 for all facts of an edit together: MEMIT and PMET.

    One fact: q / (weight + q) times ROME's change, q = k^T C^-1 k, and E q = K over the keys that C
    was made of. Computed as C^-1 K (weight + K^T C^-1 K)^-1. Source: Meng et al. 2023
    (arXiv:2210.07229), Eq. 14.
    """
    whitened = solve(C, key)  # (M, E, F, K)
    gram = key @ whitened.transpose(2, 3)  # (M, E, F, F)
    small = gram + weight * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(small, whitened).transpose(2, 3), missing


def null_projector(C: Square, keep: float) -> Square:
    """Projector on the share `keep` of directions in which keys have least power.

    By rank, not by a threshold on eigenvalues, which would depend on the scale of the keys.
    """
    K = C.shape[-1]
    count = max(1, round(keep * K))
    _, vectors = torch.linalg.eigh(C)  # rising
    quiet = vectors[..., :count]
    return quiet @ quiet.transpose(1, 2)


def null_space(
    P: Square,
    key: Keys,
    missing: Float[Tensor, "M E F D"],
    weight: float,
    earlier: Float[Tensor, "M E L K"] | None = None,
) -> tuple[Float[Tensor, "M E K F"], Float[Tensor, "M E F D"]]:
    """[P (K K^T + K_p K_p^T) + lambda] Delta^T = P K R^T: AlphaEdit, whose change leaves keys
    outside the projector's range alone.

    lambda is `weight` times the median of k^T P k over the facts of a member. `earlier` are keys
    K_p of edits made before. Source: Fang et al. 2025 (arXiv:2410.02355).
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
    return left.transpose(2, 3), missing
