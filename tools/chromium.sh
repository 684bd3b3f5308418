#!/usr/bin/env bash
# chromium.sh PLAYWRIGHT: print the path of a Chromium for the browser tests, installing one where there is none.
# The headless shell comes first: the same engine without the desktop around it, with tests in 3/5 of the time.
set -euo pipefail
playwright=$1

existing() {
  local name
  for name in ${CHROMIUM:-} chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    # Ubuntu's chromium-browser may be a stub that only says "install the snap": it must answer with a version
    if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  for name in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
    "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    if [ -x "$name" ]; then
      echo "$name"
      return
    fi
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@"
}

from_distribution() {
  command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
  {
    as_root apt-get update -qq
    install chromium-headless-shell fonts-liberation || install chromium
  } >&2
}

if existing; then exit; fi
echo "No Chromium found: installing one for the browser tests ..." >&2
if from_distribution && existing; then exit; fi
"$playwright" install chromium >&2
"$(dirname "$playwright")/python" -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    print(p.chromium.executable_path)'
