"""k-Adam (Gould and Tanaka, arXiv:2411.05746): Adam applied to its own update, k times.

Stage i keeps moving averages m_i, v_i of the update u_(i-1) of the stage before, with u_0 the
gradient, and hands on u_i = m_i / (sqrt(v_i) + eps), both averages corrected for their start at
zero. Weights move by the last u: theta <- (1 - lr decay) theta - lr u_k. One stage is AdamW; the
second does explicitly what a normalisation layer does to Adam implicitly. A readable version of
the same is `synthcore.training.k_adam_reference`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from synthcore.training.k_adam_stages import STRATEGIES, Strategy, stage_betas

PerMember = float | Tensor  # a tensor: one value per member, or without dimensions
Betas = tuple[PerMember, PerMember] | Sequence[tuple[PerMember, PerMember]]
Moments = tuple[list[Tensor], list[Tensor]]


class KAdam(Optimizer):
    """k-Adam with decoupled weight decay; `k=1` is `torch.optim.AdamW`.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 3)
    >>> model = torch.nn.Linear(3, 1)
    >>> optimizer = KAdam(model.parameters(), lr=0.01, k=2)
    >>> for _ in range(300):
    ...     loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    >>> bool(loss < 0.01)
    True

    Args:
        params: parameters, or groups of them; every option may differ between groups.
        lr: learning rate; a tensor without dimensions may be changed under a CUDA graph.
        k: number of normalisations, at least 1. Each costs two buffers per parameter.
        betas: (beta, gamma) of the whole (beta_1, beta_2 of Adam), which `strategy` shares among
            the stages; or k pairs, one for each stage.
        strategy: see `synthcore.training.k_adam_stages`.
        eps: added to the root of every stage; one number, or k of them.
        weight_decay: decoupled, as in AdamW.
        foreach: update all tensors of a group per operation, or one tensor after the other; the
            results are the same bit for bit. Default: together on CUDA, where launches cost, and
            one by one on a CPU, where what is in the cache is cheaper than what is not.
            Capturable and per-member updates always go one by one.
        maximize: ascend.
        capturable: keep step counts on the device, for CUDA graphs.

    In a population, whose parameters carry a leading member axis, `lr`, `weight_decay` and every
    beta may be a tensor with one value per member.

    State of a parameter: `step`, `exp_avg`, `exp_avg_sq` (as AdamW's, which a one-stage KAdam can
    load), and `exp_avg_2`, `exp_avg_sq_2` ... for further stages, all in the parameter's dtype.
    Keep parameters in at least float32: moments in bfloat16 lose what beta_2 near 1 adds to them.

    Raises ValueError for a value out of range (k < 1, a beta outside [0, 1), a negative learning
    rate, eps or decay), RuntimeError for complex parameters and, at the step, sparse gradients.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: PerMember = 1e-3,
        *,
        k: int = 2,
        betas: Betas = (0.9, 0.999),
        strategy: Strategy = "uniform",
        eps: float | Sequence[float] = 1e-8,
        weight_decay: PerMember = 1e-2,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "k": k,
            "betas": betas,
            "strategy": strategy,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own. Raises as the constructor does."""
        super().add_param_group(param_group)
        try:
            _check(self.param_groups[-1])
        except (ValueError, RuntimeError):
            del self.param_groups[-1]
            raise

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update. Returns the loss of `closure`, which computes it anew with gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for bucket in self._buckets(group):
                _update(group, *self._prepare(group, bucket))
        return loss

    def _buckets(self, group: dict[str, Any]) -> list[list[Tensor]]:
        """Parameters with a gradient, by device and dtype, or one by one without foreach."""
        buckets: dict[object, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            if parameter.grad.is_sparse:
                raise RuntimeError("KAdam does not support sparse gradients")
            foreach = group["foreach"]
            together = parameter.is_cuda if foreach is None else foreach
            key = (parameter.device, parameter.dtype) if together else parameter
            buckets.setdefault(key, []).append(parameter)
        return list(buckets.values())

    def _prepare(
        self, group: dict[str, Any], parameters: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Moments], list[Tensor]]:
        """Parameters, their gradients, moments of every stage and step counts."""
        names = [("exp_avg", "exp_avg_sq")]
        names += [(f"exp_avg_{i}", f"exp_avg_sq_{i}") for i in range(2, group["k"] + 1)]
        for parameter in parameters:
            state = self.state[parameter]
            if "step" not in state:
                device = parameter.device if group["capturable"] else "cpu"
                state["step"] = torch.zeros((), dtype=torch.float32, device=device)
            for name in (name for pair in names for name in pair if name not in state):
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        states = [self.state[parameter] for parameter in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        moments = [
            ([s[mean] for s in states], [s[square] for s in states]) for mean, square in names
        ]
        return parameters, gradients, moments, [state["step"] for state in states]


def group_stages(group: dict[str, Any]) -> list[tuple[PerMember, PerMember, float]]:
    """(beta_i, gamma_i, eps_i) of the stages of a parameter group."""
    k, betas, eps = group["k"], group["betas"], group["eps"]
    pairs = betas if _per_stage(betas) else stage_betas(k, betas[0], betas[1], group["strategy"])
    each = [eps] * k if isinstance(eps, int | float) else list(eps)
    return [(beta, gamma, e) for (beta, gamma), e in zip(pairs, each, strict=True)]


def _per_stage(betas: Any) -> bool:
    return isinstance(betas[0], Sequence)


def _update(
    group: dict[str, Any],
    parameters: list[Tensor],
    gradients: list[Tensor],
    moments: list[Moments],
    steps: list[Tensor],
) -> None:
    """One update of tensors of one device and dtype."""
    torch._foreach_add_(steps, 1)
    stages = group_stages(group)
    numbers = (group["lr"], group["weight_decay"], *(b for stage in stages for b in stage[:2]))
    general = group["capturable"] or any(isinstance(number, Tensor) for number in numbers)
    if group["maximize"]:
        gradients = list(torch._foreach_neg(gradients))
    step = _general_update if general else _plain_update
    step(group, stages, parameters, gradients, moments, steps)


def _plain_update(
    group: dict[str, Any],
    stages: list[Any],
    parameters: list[Tensor],
    update: list[Tensor],
    moments: list[Moments],
    steps: list[Tensor],
) -> None:
    """Options are numbers: the operations of torch's foreach AdamW, once per stage."""
    lr, counts = group["lr"], [step.item() for step in steps]
    if group["weight_decay"] != 0:
        torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
    for i, ((beta, gamma, eps), (mean, square)) in enumerate(zip(stages, moments, strict=True)):
        torch._foreach_lerp_(mean, update, 1 - beta)
        torch._foreach_mul_(square, gamma)
        torch._foreach_addcmul_(square, update, update, 1 - gamma)
        mass = [1 - beta**n for n in counts]
        spread = [(1 - gamma**n) ** 0.5 for n in counts]
        scale = torch._foreach_sqrt(square)
        if i + 1 == len(stages):
            torch._foreach_div_(scale, spread)
            torch._foreach_add_(scale, eps)
            torch._foreach_addcdiv_(parameters, mean, scale, [-lr / m for m in mass])
        else:
            # u = (mean / mass) / (root / spread + eps), without a pass over memory for the mass.
            torch._foreach_mul_(scale, [m / s for m, s in zip(mass, spread, strict=True)])
            torch._foreach_add_(scale, [eps * m for m in mass])
            update = list(torch._foreach_div(mean, scale))


def _general_update(
    group: dict[str, Any],
    stages: list[Any],
    parameters: list[Tensor],
    gradients: list[Tensor],
    moments: list[Moments],
    steps: list[Tensor],
) -> None:
    """Options may be tensors, one value per member, and step counts may stay on the device."""
    for j, (parameter, update) in enumerate(zip(parameters, gradients, strict=True)):
        count = steps[j].double() if group["capturable"] else steps[j].item()
        lr, decay = _along(group["lr"], parameter), _along(group["weight_decay"], parameter)
        parameter.mul_(_like(1 - lr * decay, parameter))
        for (beta, gamma, eps), (mean, square) in zip(stages, moments, strict=True):
            beta, gamma = _along(beta, parameter), _along(gamma, parameter)
            mean[j].lerp_(update, _like(1 - beta, parameter))
            square[j].mul_(_like(gamma, parameter))
            square[j].add_(update * update * _like(1 - gamma, parameter))
            scale = square[j].sqrt().div_(_like((1 - gamma**count) ** 0.5, parameter)).add_(eps)
            update = mean[j] / scale / _like(1 - beta**count, parameter)
        parameter.sub_(update * _like(lr, parameter))


def _along(value: PerMember, parameter: Tensor) -> Any:
    """One value per member in float64, shaped to multiply `parameter`; a number stays one."""
    if not isinstance(value, Tensor) or value.ndim == 0:
        return value
    return value.to(parameter.device, torch.float64).view(-1, *[1] * (parameter.ndim - 1))


def _like(value: Any, parameter: Tensor) -> Any:
    """The same in the parameter's dtype."""
    return value.to(parameter.dtype) if isinstance(value, Tensor) else value


def _check(group: dict[str, Any]) -> None:
    """Raise for options that make no sense, in torch's words."""
    k, betas, eps = group["k"], group["betas"], group["eps"]
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"Invalid k value: {k}")
    if group["strategy"] not in STRATEGIES:
        raise ValueError(f"Invalid strategy: {group['strategy']!r} (choose from {STRATEGIES})")
    for name, word in (("lr", "learning rate"), ("weight_decay", "weight_decay value")):
        if not _within(group[name], 0.0):
            raise ValueError(f"Invalid {word}: {group[name]}")
    for value in [eps] if isinstance(eps, int | float) else eps:
        if not _within(value, 0.0):
            raise ValueError(f"Invalid epsilon value: {value}")
    if not isinstance(eps, int | float) and len(eps) != k:
        raise ValueError(f"eps must be one number or {k}, one for each stage (got {len(eps)})")
    pairs = betas if _per_stage(betas) else [betas]
    if _per_stage(betas) and len(pairs) != k:
        raise ValueError(f"betas must be one pair or {k}, one for each stage (got {len(pairs)})")
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"betas must hold pairs (beta, gamma) (got {pair})")
        for index, beta in enumerate(pair):
            if not _within(beta, 0.0, 1.0):
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
    members = [("lr", group["lr"]), ("weight_decay", group["weight_decay"])]
    members += [("a beta", beta) for pair in pairs for beta in pair]
    for parameter in group["params"]:
        if parameter.is_complex():
            raise RuntimeError("KAdam does not support complex parameters")
        for name, value in members:
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape[:1]:
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}; "
                    f"the population has {parameter.shape[0]} members"
                )


def _within(value: Any, low: float, below: float = float("inf")) -> bool:
    """low <= value < below, for every member."""
    held = (low <= value) & (value < below) if isinstance(value, Tensor) else low <= value < below
    return bool(held.all()) if isinstance(held, Tensor) else held
