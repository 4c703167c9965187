#!/bin/sh
# Deploy docker/stack.yaml to the Swarm that this machine manages, and wait until it runs or has rolled back.
# Usage: deploy_stack.sh [STACK]            (default: aquascene)
#   AQUASCENE_IMAGE   name@sha256:digest of the release
#   ENV_FILE          the installation's own addresses (default: docker/staging.env; docker/staging.env.example has all of them)
#   SECRETS_PATH      folder of the secret files (default: docker/secrets)
#   STACK_OVERRIDES   further files, merged over the stack; RESOLVE_IMAGE: always (default), changed or never
# 1. Every secret is named by the hash of its content: a changed one is a new object, its services roll out, and a
#    rollback finds the old one. 2. Migrations run from the new image, alone; when they fail, nothing else is touched.
# 3. Everything is brought in, start-first; what does not become healthy is rolled back by Swarm, and the exit code is 1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
docker=${DOCKER:-docker}
stack=${1:-aquascene}
file=$here/stack.yaml
SECRETS_PATH=${SECRETS_PATH:-$here/secrets}
export SECRETS_PATH
patience=${PATIENCE_SECONDS:-900}
env_file=${ENV_FILE:-$here/staging.env}

fail() { echo "deploy_stack: $*" >&2; exit 1; }

if [ -f "$env_file" ]; then
  set -a
  # shellcheck source=docker/staging.env.example
  . "$env_file"
  set +a
fi

case ${AQUASCENE_IMAGE:-} in
  '') fail "set AQUASCENE_IMAGE to the release as name@sha256:digest" ;;
  *@sha256:*) ;;
  *) [ "${RESOLVE_IMAGE:-}" = never ] || fail "AQUASCENE_IMAGE=$AQUASCENE_IMAGE is not name@sha256:digest: a tag may be another image on every node" ;;
esac

name_secrets() {
  missing=
  # shellcheck disable=SC2013  # names of variables, one a line: words and lines are the same
  for variable in $(grep -o 'HASH_[A-Z0-9_]*' "$file" | sort -u); do
    name=$(printf '%s' "${variable#HASH_}" | tr '[:upper:]' '[:lower:]')
    path=$SECRETS_PATH/$name
    [ -s "$path" ] || path=$SECRETS_PATH/flows/$name
    if [ -s "$path" ]; then
      hash=$(sha256sum "$path" | cut -c1-12)
      export "$variable=$hash"
    else
      missing="$missing $name"
    fi
  done
  [ -z "$missing" ] || fail "no such secret in $SECRETS_PATH:$missing (docker/make_secrets.sh makes those that may be random)"
}

# settle SERVICE TEXT COMMAND...: repeat the command until it prints "yes"; "no" and the end of patience are failures.
settle() {
  service=$1 text=$2
  shift 2
  waited=0
  while :; do
    answer=$("$@" "$service")
    case $answer in
      yes) return 0 ;;
      no*) "$docker" service ps --no-trunc "$service" >&2; fail "$service: ${answer#no }" ;;
    esac
    [ "$waited" -lt "$patience" ] || { "$docker" service ps --no-trunc "$service" >&2; fail "$service $text after $patience s"; }
    sleep 2
    waited=$((waited + 2))
  done
}

# "2/2", or "0/1 (1/1 completed)" for a job.
replicas() { "$docker" service ls --filter "name=$1" --format '{{.Name}} {{.Replicas}}' | awk -v name="$1" '$1 == name {$1 = ""; print}'; }

job_is_done() { replicas "$1" | sed -n 's/.*(\(.*\)\/\(.*\) completed).*/\1 \2/p' | awk '{print ($1 == $2) ? "yes" : "wait"}'; }

runs() {
  state=$("$docker" service inspect --format '{{with .UpdateStatus}}{{.State}}: {{.Message}}{{end}}' "$1")
  case $state in
    rollback_* | paused*) echo "no its update ended as $state"; return ;;
    updating*) echo wait; return ;;
  esac
  case $(replicas "$1") in
    *completed*) job_is_done "$1" ;;
    *) replicas "$1" | awk '{split($1, n, "/"); print (n[1] == n[2]) ? "yes" : "wait"}' ;;
  esac
}

# A migration that fails three times fails; the job itself goes on trying, which is right while a new database starts.
migration_is_done() {
  failed=$("$docker" service ps --no-trunc --format '{{.Image}} {{.CurrentState}}' "$1" | grep -c -F "$AQUASCENE_IMAGE Failed" || true)
  if [ "$failed" -ge 3 ]; then echo "no the migrations failed; nothing else was touched"; else job_is_done "$1"; fi
}

migrate_first() {
  service=${stack}_migrate
  "$docker" service inspect "$service" >/dev/null 2>&1 || return 0 # the first time everything waits for the schema
  running=$("$docker" service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "$service")
  [ "$running" != "$AQUASCENE_IMAGE" ] || return 0
  echo "migrations of $AQUASCENE_IMAGE"
  "$docker" service update --quiet --detach --with-registry-auth --no-resolve-image --image "$AQUASCENE_IMAGE" --env-add "IMAGE=$AQUASCENE_IMAGE" "$service" >/dev/null
  settle "$service" "has not ended" migration_is_done
}

deploy() {
  set -- --compose-file "$file"
  for override in ${STACK_OVERRIDES:-}; do set -- "$@" --compose-file "$override"; done
  "$docker" stack deploy --prune --with-registry-auth --resolve-image "${RESOLVE_IMAGE:-always}" "$@" "$stack"
}

name_secrets
migrate_first
deploy
for service in $("$docker" stack services --format '{{.Name}}' "$stack"); do settle "$service" "does not run" runs; done
echo "$stack runs $AQUASCENE_IMAGE"
