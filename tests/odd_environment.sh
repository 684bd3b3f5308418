#!/usr/bin/env bash
# odd_environment.sh: the whole book for the unluckiest of readers. Slow: continuous integration runs it by schedule.
# From an archive without .git, in a folder whose name has spaces and letters beyond ASCII, files for the user alone (umask 077), no home,
# locale C, a dumb terminal, output in ASCII, one thread, and no network once `make` has installed. Also: no chapter needs 1.5 GB (Binder lends 2).
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
place="$scratch/Modell-Systeme für α & β"
mkdir "$place"
git archive --format=zip --output "$scratch/book.zip" HEAD
python3 -m zipfile --extract "$scratch/book.zip" "$place"
cd "$place"
chmod +x tools/*.sh # the archive module of Python forgets it
umask 077

make .venv/.installed-book # the one step that may use the network

export HOME="$scratch/absent" LC_ALL=C TERM=dumb PYTHONIOENCODING=ascii OMP_NUM_THREADS=1
export PYTHONPATH="$place:$place/tests/offline" OFFLINE_LOG="$scratch/network.log" SYNTHCORE_CACHE="$scratch/stages"
unset COLUMNS XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
make book

failed=0
expect() {
  if ! "${@:2}"; then
    echo "not so: $1" >&2
    failed=1
  fi
}
expect "no other machine was asked for anything" test ! -e "$OFFLINE_LOG"
expect "the book has a front page" test -s _build/html/index.html
expect "what was made is the user's alone" test -z "$(find _build -perm /077 -print -quit)"
expect "no home was made up" test ! -e "$HOME"
expect "claims can be listed" grep -q reproduced <(.venv/bin/synthcore claims)
expect "each chapter's check run stays below 1.5 GB" .venv/bin/python - <<'END'
import json, pathlib
used = {path.parts[-3]: json.loads(path.read_text())["peak_rss_mb"] for path in pathlib.Path("_build/runs").glob("*/check/record.json")}
print(*(f"{name}: {peak:.0f} MB" for name, peak in sorted(used.items())), sep="\n")
raise SystemExit(not used or max(used.values()) >= 1500)
END
exit $failed
