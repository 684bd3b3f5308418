"""What of a user's machine reaches a recorded run. This module alone decides it.

A kernel has the environment of whoever starts it but for what would change its numbers or figures
without being in the record: start-up files, profiles and styles, switches of Python and of PyTorch,
and folders of loose modules.
"""

import os
from collections.abc import Mapping
from pathlib import Path

# Start-up files; switches of Python that remove assertions or turn warnings into errors; where
# figures go (with Agg they would vanish) and how they look; how CUDA rounds.
NOT_OURS = (
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONDEVMODE",
    "MPLBACKEND",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "MALLOC_TRIM_THRESHOLD_",  # Dask's, for its workers: half of a kernel's time would go there
)

# What a kernel does first: matplotlib would rather read a file in the folder it starts in.
FIRST = "import os, matplotlib; matplotlib.rc_file(os.environ['MATPLOTLIBRC']); del os, matplotlib"


def kernel_environment(outside: Mapping[str, str], root: Path) -> dict[str, str]:
    """The environment of a kernel that runs a chapter of the project at `root`.

    Its IPython folder is an empty one, which `synthcore.press.kernel` sets where it is made.
    """
    import matplotlib

    env = {name: value for name, value in outside.items() if name not in NOT_OURS}
    env["MATPLOTLIBRC"] = str(Path(matplotlib.get_data_path()) / "matplotlibrc")
    env["PYTHONPATH"] = _python_path(outside.get("PYTHONPATH", ""), root)
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return env


def _python_path(given: str, root: Path) -> str:
    """The project, then what lies in it or holds installed packages, whose versions are recorded.

    The project comes first: a chapter is run with the code beside it.
    """
    folders = [Path(entry).resolve() for entry in given.split(os.pathsep) if entry]
    kept = [
        folder
        for folder in folders
        if folder.is_relative_to(root.resolve()) or any(folder.glob("*.dist-info"))
    ]
    return os.pathsep.join(map(str, dict.fromkeys([root.resolve(), *kept])))
