"""The paper's change-point model as the paper runs it: BEAST by the package Rbeast, if installed.

Source: released analysis code. y_t with jitter, clipped to [0, 1]; no season; at most six change
points, segments of three positions at least, order 0 or 1, precision prior "constant" with value
20. In Rbeast 0.1.25 the paper's alpha1, alpha2 and burn-in arguments have no effect, and a seed
does not fix the chains: p(m) moves by up to a hundredth from call to call.
"""

import importlib.util

import numpy as np
from jaxtyping import Float
from numpy import ndarray

CHAINS, SAMPLES = 3, 6000


def installed() -> bool:
    """Is Rbeast there? It is part of the extra `[bench]`."""
    return importlib.util.find_spec("Rbeast") is not None


def rbeast_p_m(y: Float[ndarray, "T"], seed: int = 0) -> Float[ndarray, "M"]:
    """p(m | y), m = 0..6, by MCMC. `y` is jittered already. Raises ImportError without Rbeast."""
    import Rbeast

    found = Rbeast.beast(
        np.asarray(y, float),
        season="none",
        tcp_minmax=[0, 6],
        torder_minmax=[0, 1],
        tseg_minlength=3,
        precPriorType="constant",
        precValue=20.0,
        mcmc_chains=CHAINS,
        mcmc_samples=SAMPLES,
        mcmc_thin=5,
        mcmc_burbin=1000,  # spelled like this there
        mcmc_seed=seed + 1,
        quiet=True,
        print_param=False,
        print_progress=False,
        print_warning=False,
    )
    p = np.asarray(found.trend.ncpPr, float).ravel()[:7]
    return p / p.sum()
