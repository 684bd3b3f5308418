"""Settings with which the network that trains in the page is tried."""

from typing import Any

from synthcore.explorers.swing_by_training import SwingByTrainingExplorer

TRAITS = ("mu", "sigma", "network", "start", "omega", "rho", "width", "rate", "batch", "seed")
CASES: dict[str, dict[str, Any]] = {
    "linear": {},
    "tied": {"network": "tied", "batch": 8, "seed": 3},
    "relu": {"network": "relu", "seed": 1},
    "linear, random": {"start": "random", "width": 2, "seed": 7, "omega": 0.3},
    "tied, random": {"network": "tied", "start": "random", "width": 3, "sigma": (0.3, 0.6)},
    "relu, random": {"network": "relu", "start": "random", "width": 5, "batch": 0, "seed": 99},
    "relu, wide clusters": {"network": "relu", "sigma": (1, 0.5), "mu": (2, 1.5), "rho": -0.5},
    "linear, all points": {"mu": (3, 0.5), "batch": 0, "rate": 0.02, "width": 16, "omega": 0.01},
}


def settings(**changes: Any) -> dict[str, Any]:
    """What the view reads off the explorer's traits."""
    explorer = SwingByTrainingExplorer(**changes)
    return {name: getattr(explorer, name) for name in TRAITS}
