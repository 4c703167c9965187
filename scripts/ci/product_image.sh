#!/bin/sh
# Build the product's image and print how large it is and how long that took.
# Usage: product_image.sh [production|development]...     (default: production)
#   IMAGE_NAME  name without tag; the target is the tag     (default aquascene)
#   BASE        base image in place of the Dockerfile's     (tests: local/python:3.11, made by base_image.sh)
#   PIP_CONF    file that is seen as /etc/pip.conf while the requirements are installed; it stays in no layer
#   NO_CACHE=1  build every step anew
# Version, commit and dates come from the checkout, so that the same commit gives the same layers.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
docker=${DOCKER:-docker}
name=${IMAGE_NAME:-aquascene}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml" | head -1)
commit=${GIT_SHA:-$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)}
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$epoch" +%Y-%m-%dT%H:%M:%SZ)

build() {
  target=$1
  began=$(date +%s)
  set -- --file "$root/docker/Dockerfile" --target "$target" --tag "$name:$target" \
    --build-arg "VERSION=$version" --build-arg "GIT_SHA=$commit" --build-arg "CREATED=$created" --build-arg "SOURCE_DATE_EPOCH=$epoch"
  if [ -n "${BASE:-}" ]; then set -- "$@" --build-arg "BASE=$BASE"; fi
  if [ -n "${PIP_CONF:-}" ]; then set -- "$@" --secret "id=pip_conf,src=$PIP_CONF"; fi
  if [ "${NO_CACHE:-}" = 1 ]; then set -- "$@" --no-cache; fi
  DOCKER_BUILDKIT=1 "$docker" build "$@" "$root"
  echo "$name:$target: $("$docker" image inspect --format '{{.Size}}' "$name:$target" | awk '{printf "%.0f MB", $1 / 1000000}'), $(($(date +%s) - began)) s"
}

[ $# -gt 0 ] || set -- production
for target in "$@"; do
  case $target in
    production | development) build "$target" ;;
    *) echo "unknown target: $target (production or development)" >&2; exit 64 ;;
  esac
done
