"""T1: Adam as a differential equation, of first and of second order.

With a = (1 - beta) / (eta beta) and b = (1 - gamma) / (eta gamma), which match the mean lags of
the discrete averages, and time t = n eta,

    m' = a (g - m),  v' = b (g^2 - v),  u = (m / (1 - e^(-a t))) / sqrt(v / (1 - e^(-b t))),
    (eta / 2) theta'' + theta' + lambda theta = -u,

or without the first term. The corrections for the start divide by the kernels' own masses; with
the discrete ones, 1 - beta^n, the error of the second-order equation stays of first order.
Source: Gould and Tanaka, Eqs. 2-4; coefficients ours. RK4, float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Gradient = Callable[[Array], Array]
Matching = Literal["lag", "decay"]


@dataclass(frozen=True)
class AdamW:
    """Hyper-parameters: eta, beta, gamma, lambda."""

    eta: float
    beta: float = 0.9
    gamma: float = 0.99
    decay: float = 0.0

    def trajectory(self, gradient: Gradient, start: Array, steps: int) -> Array:
        """Discrete AdamW without epsilon: theta_0..theta_steps, shape (steps + 1, ...)."""
        theta, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
        path = [theta]
        for n in range(1, steps + 1):
            g = gradient(theta)
            m = self.beta * m + (1 - self.beta) * g
            v = self.gamma * v + (1 - self.gamma) * g**2
            u = m / (1 - self.beta**n) / np.sqrt(v / (1 - self.gamma**n))
            theta = theta - self.eta * (self.decay * theta + u)
            path.append(theta)
        return np.stack(path)


def flow(
    adam: AdamW,
    gradient: Callable[[float, Array], Array],
    start: Array,
    steps: int,
    order: Literal[1, 2] = 2,
    matching: Matching = "lag",
    substeps: int = 20,
) -> Array:
    """The equation's solution at t = 0, eta, 2 eta, ...; shape (steps + 1, ...).

    `gradient(n, theta)` is the gradient at time n eta. `matching` "decay" takes a = -ln(beta) / eta
    instead, which matches how fast the averages forget but not their lag. Coordinates may hold
    trailing axes; where a gradient has been zero since the start, u is 0.
    """
    eta, lag = adam.eta, matching == "lag"
    a = (1 - adam.beta) / (eta * adam.beta) if lag else -np.log(adam.beta) / eta
    b = (1 - adam.gamma) / (eta * adam.gamma) if lag else -np.log(adam.gamma) / eta

    def update(t: float, m: Array, v: Array, g: Array) -> Array:
        if t == 0:
            return np.sign(g)
        mass, spread = -np.expm1(-a * t), np.sqrt(-np.expm1(-b * t))
        return np.divide(m * spread, np.sqrt(v) * mass, out=np.zeros_like(m), where=v > 0)

    def slope(t: float, state: Array) -> Array:
        theta, velocity, m, v = state
        g = gradient(t / eta, theta)
        drift = -(adam.decay * theta + update(t, m, v, g))
        if order == 1:
            return np.stack([drift, np.zeros_like(m), a * (g - m), b * (g**2 - v)])
        return np.stack([velocity, (drift - velocity) * 2 / eta, a * (g - m), b * (g**2 - v)])

    zero = np.zeros_like(start)
    velocity = -(adam.decay * start + np.sign(gradient(0.0, start)))
    state = np.stack([start, velocity, zero, zero])
    path, dt = [start], eta / substeps
    for i in range(steps * substeps):
        t = i * dt
        k1 = slope(t, state)
        k2 = slope(t + dt / 2, state + dt / 2 * k1)
        k3 = slope(t + dt / 2, state + dt / 2 * k2)
        k4 = slope(t + dt, state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if (i + 1) % substeps == 0:
            path.append(state[0])
    return np.stack(path)


def recorded_gradient(gradients: Array) -> Callable[[float, Array], Array]:
    """Gradients recorded at steps 0, 1, ... (steps, ...): the nearest one at every time.

    Straight lines between them would shrink the second moment of noisy gradients by a third.
    """
    last = len(gradients) - 1

    def gradient(n: float, theta: Array) -> Array:
        return np.asarray(gradients[min(int(n + 0.5 + 1e-9), last)])

    return gradient
