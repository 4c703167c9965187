#!/usr/bin/env bash
# Memory of the running containers while a command runs: at its start, and at most. Usage: scripts/measure_memory.sh COMMAND...
# docs/how-to/sizing.md has the figures and the commands that gave them. FILTER: only containers whose name has this in it.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: scripts/measure_memory.sh COMMAND..." >&2; exit 64; }
samples=$(mktemp)
sampling=
trap 'kill $sampling 2>/dev/null || true; rm -f "$samples"' EXIT
# One look takes about two seconds: a shorter peak is not seen.
sample() { "${DOCKER:-docker}" stats --no-stream --format '{{.Name}} {{.MemUsage}}' | grep -- "${FILTER:-}" >>"$samples" || true; }
sample
while :; do sample; done &
sampling=$!
code=0
"$@" || code=$?
kill "$sampling" 2>/dev/null || true
sampling=
sample
printf '%-48s %10s %10s\n' container 'start MiB' 'most MiB'
awk '
  $1 != "--" { sub(/iB.*/, "", $2); unit = substr($2, length($2)); value = substr($2, 1, length($2) - 1) + 0
    if (unit == "G") value *= 1024; else if (unit == "K") value /= 1024
    if (!($1 in first)) first[$1] = value
    if (value > most[$1]) most[$1] = value }
  END { for (name in first) printf "%-48s %10.0f %10.0f\n", name, first[name], most[name] }' "$samples" | sort
exit $code
