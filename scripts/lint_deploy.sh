#!/usr/bin/env bash
# Lint what is deployed and how: images, scripts, YAML, workflows, manifests, migrations. Usage: make lint-deploy
# One line for each tool; the findings of those that fail follow theirs. Nothing is fetched. Rules and exceptions are in
# the tools' own files: .hadolint.yaml .shellcheckrc .yamllint .checkov.yaml .squawk.toml zizmor.yml (where it exists).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
tools=.venv-tools/bin
python=.venv/bin/python
[ -x "$tools/checkov" ] && [ -x "$python" ] || { echo "the linters are not installed; run \`make lint-deploy\`" >&2; exit 2; }
failed=0

# Files of the repository that match the patterns, also those that are not committed yet.
files() { git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do [ -f "$file" ] && echo "$file"; done; }

# lint NAME COMMAND... : run it and say how it went.
lint() {
  local name=$1 began=$SECONDS report
  shift
  if report=$("$@" 2>&1); then
    printf 'ok    %-28s %3d s\n' "$name" $((SECONDS - began))
  else
    printf 'FAIL  %-28s %3d s\n%s\n' "$name" $((SECONDS - began)) "$report"
    failed=1
  fi
}

# lint_files NAME COMMAND... -- PATTERN... : the same over files; nothing to say where there are none.
lint_files() {
  local name=$1 command=() found
  shift
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  mapfile -t found < <(files "$@")
  if [ ${#found[@]} -eq 0 ]; then printf '%-5s %-28s no files\n' none "$name"; else lint "$name (${#found[@]})" "${command[@]}" "${found[@]}"; fi
}

lint_files hadolint "$tools/hadolint" -- 'docker/*Dockerfile' '*.Dockerfile'
lint_files shellcheck "$tools/shellcheck" -- '*.sh' .ci/run ':!tests/fixtures'
lint_files yamllint "$tools/yamllint" --strict -- '*.yaml' '*.yml' .yamllint
lint_files zizmor "$tools/zizmor" --offline --strict-collection --persona auditor --quiet -- '.github/*.yml'
lint "checkov docker" "$tools/checkov" --framework dockerfile -f docker/Dockerfile
lint "checkov .github" "$tools/checkov" --framework github_actions -d .github
if [ -n "$(files 'k8s/rendered/*.yaml')" ]; then lint "checkov k8s" "$tools/checkov" --framework kubernetes -d k8s/rendered; fi
lint "squawk and migration rules" "$python" scripts/lint_migrations.py
lint "the linters refuse examples" "$python" -m pytest -q -p no:cacheprovider tests/linters
exit $failed
