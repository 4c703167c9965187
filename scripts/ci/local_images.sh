#!/bin/sh
# Build the third-party images that the tests with an engine need, from Debian's packages instead of a registry.
# Usage: local_images.sh [postgres|redis|router]...     (default: all)
# They become local/postgres:15, local/redis:7 and local/router:2.6; with REUSE_IMAGES=1 an image that exists is kept.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
docker=${DOCKER:-docker}
context=$here/../../docker/ci

exists() { "$docker" image inspect "$1" >/dev/null 2>&1; }

build() {
  name=$1 tag=local/$1:$2
  if [ "${REUSE_IMAGES:-}" = 1 ] && exists "$tag"; then
    echo "$tag: kept"
    return
  fi
  began=$(date +%s)
  DOCKER_BUILDKIT=1 "$docker" build --quiet -f "$context/$name.Dockerfile" --build-arg BASE=local/debian:12 -t "$tag" "$context" >/dev/null
  echo "$tag: $("$docker" image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.0f MB", $1 / 1000000}'), $(($(date +%s) - began)) s"
}

if ! exists local/debian:12; then sh "$here/base_image.sh" debian; fi
[ $# -gt 0 ] || set -- postgres redis router
for name in "$@"; do
  case $name in
    postgres) build postgres 15 ;;
    redis) build redis 7 ;;
    router) build router 2.6 ;;
    *) echo "unknown image: $name (postgres, redis or router)" >&2; exit 64 ;;
  esac
done
