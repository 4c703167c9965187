#!/usr/bin/env bash
# Does code of an older commit run on the schema of this checkout? Usage: scripts/old_code_new_schema.sh [REF [pytest arguments]]
# REF is the release before: the newest tag v* below this commit, or its parent while there is none.
#
# While a release is brought out, processes of the one before still serve: the schema of the new must bear the code of the
# old. This unpacks REF, migrates databases with the migrations of this checkout, and runs REF's own tests on them.
# OLD_VENV names a Python environment for REF; without it one is made where the locks differ, else this one's is used.
set -euo pipefail
cd "$(dirname "$0")/.."
new=$PWD
ref=${1:-$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || echo HEAD^)}
shift $(($# > 0))
[ $# -gt 0 ] || set -- tests/integration
venv=$new/.venv
[ -x "$venv/bin/python" ] || { echo "run \`make install-dev\` first" >&2; exit 2; }

commit=$(git rev-parse --verify --quiet "$ref^{commit}") || { echo "no such commit: $ref" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
old=$work/code
mkdir "$old"
git archive "$commit" | tar -x -C "$old"

if [ -n "${OLD_VENV:-}" ]; then
  old_venv=$OLD_VENV
elif cmp -s requirements-dev.lock "$old/requirements-dev.lock"; then
  old_venv=$venv
else
  echo "the locks differ: making the environment of $ref"
  make -C "$old" install-dev
  old_venv=$old/.venv
fi

echo "code of $ref (${commit:0:12}) on the schema of this checkout"
cd "$old"
# -p finds the plugin on the path; the checkout under test comes first, so that `aquascene` is the old one.
PYTHONPATH="$old:$new/scripts" NEW_PYTHON="$venv/bin/python" \
  "$old_venv/bin/python" -m pytest -p new_schema_plugin -p no:cacheprovider -q "$@"
