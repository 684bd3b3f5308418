#!/usr/bin/env bash
# Ask the Python packaging advisory database about every package of constraints.txt, and compare with what we know.
# Findings that do not concern this project stand in tools/advisories.txt, one "ID reason" a line.
set -euo pipefail
known=()
while read -r id _; do
  known+=(--ignore-vuln "$id")
done < <(grep -v '^#' tools/advisories.txt || true)
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet --disable-pip-version-check pip-audit
"$tool/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip --strict --desc off ${known[@]+"${known[@]}"}
