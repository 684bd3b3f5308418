#!/usr/bin/env bash
# install.sh VENV EXTRAS: install this project, editable and under the lock, into VENV (made if absent), and fetch what its pages load.
# Uses uv where present (seconds), else pip. Set PYTHON to choose the interpreter.
# With VERIFY=1 a package is taken only if its file has a digest of hashes.txt. Torch and what it brings are the exception:
# their builds differ by platform and come from several indexes.
set -euo pipefail
venv=$1 extras=$2

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Python 3.11 or newer is needed; ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true)." >&2
  echo "Install one, or name one: make PYTHON=/path/to/python3.12 book" >&2
  return 1
}

has_uv() { command -v uv >/dev/null; }

if [ ! -x "$venv/bin/python" ]; then
  python=$(find_python)
  echo "Making $venv with $("$python" --version) ..."
  if has_uv; then
    uv venv --quiet --python "$(command -v "$python")" "$venv"
  elif ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    echo "Python's venv module is missing (Debian, Ubuntu: apt install python3-venv)." >&2
    exit 1
  fi
fi

if [ "${VERIFY:-}" = 1 ]; then
  echo "Installing what hashes.txt names, each file checked against it ..."
  locked=$(mktemp)
  trap 'rm -f "$locked"' EXIT
  awk '/^[^ ]/ { torch = /^torch==/ } !torch' hashes.txt > "$locked"
  if has_uv; then
    uv pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes --requirement "$locked"
  else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
      --requirement "$locked"
  fi
fi

echo "Installing synthcore[$extras] under constraints.txt; the first time takes minutes ..."
if has_uv; then
  # uv does not read pip's settings: hand the folder of local wheels over, where there is one
  UV_FIND_LINKS="${PIP_FIND_LINKS:-}" uv pip install --quiet --python "$venv/bin/python" \
    --constraint constraints.txt --editable ".[$extras]"
else
  "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable ".[$extras]"
fi

echo "Fetching what the pages need in a browser ..."
"$venv/bin/python" -m synthcore.press.vendor
