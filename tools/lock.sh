#!/usr/bin/env bash
# Resolve constraints.in into constraints.txt for every platform and Python >= 3.11, and note in hashes.txt the digests of
# the files that the package index has of each.
# CUDA packages are left out: each torch build brings its own exact pins. Torch's local version suffix (+cpu) is dropped for
# the same reason.
set -euo pipefail
if ! command -v uv >/dev/null; then
  .venv/bin/python -m pip install --quiet uv
  PATH="$PWD/.venv/bin:$PATH"
fi
UV_FIND_LINKS="${PIP_FIND_LINKS:-}" uv pip compile --quiet --universal --python-version 3.11 \
  --no-annotate --no-header --no-emit-find-links --no-emit-index-url constraints.in |
  grep -vE '^(nvidia-|cuda-|triton|-e |--)' |
  sed -E 's/^(torch==[0-9.]+).*/\1/' | awk '!/^torch==/ || !seen++' > constraints.txt.part
grep -qx 'torch==[0-9.]*' constraints.txt.part
mv constraints.txt.part constraints.txt
UV_FIND_LINKS='' uv pip compile --quiet --universal --python-version 3.11 --no-deps --generate-hashes --no-annotate --no-header \
  --no-emit-find-links --no-emit-index-url constraints.txt > hashes.txt.part
mv hashes.txt.part hashes.txt
echo "constraints.txt: $(wc -l < constraints.txt) packages"
