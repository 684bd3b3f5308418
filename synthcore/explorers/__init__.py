"""Interactive figures for the browser: one Python class, its JavaScript and its style sheet each.

An explorer is an anywidget: live in JupyterLab, VS Code and Colab, and just as alive on the static
site, where its data are embedded in the page and no kernel or network is needed. Explorers know
nothing of studies. Arrays go in; what the reader sees is drawn by plain JavaScript.
"""

from synthcore.explorers.adam import AdamExplorer
from synthcore.explorers.base import Explorer
from synthcore.explorers.goal_field import GoalFieldExplorer
from synthcore.explorers.lattice import LatticeExplorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.explorers.navigation_tree import PrefixTree, prefix_tree
from synthcore.explorers.phase import PhaseExplorer
from synthcore.explorers.retrieval import RetrievalExplorer
from synthcore.explorers.swing_by import SwingByExplorer

__all__ = [
    "AdamExplorer",
    "Explorer",
    "GoalFieldExplorer",
    "LatticeExplorer",
    "NavigationExplorer",
    "PhaseExplorer",
    "PrefixTree",
    "RetrievalExplorer",
    "SwingByExplorer",
    "prefix_tree",
]
