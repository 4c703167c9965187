#!/bin/sh
# Give the Docker client its compose and buildx plugins where it has none; do nothing where it has both.
# Usage: compose_plugin.sh      They go to ${DOCKER_CONFIG:-~/.docker}/cli-plugins, from packages of Debian's next suite,
# downloaded by the machine's own apt settings and unpacked, not installed: the system stays as it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
docker=${DOCKER:-docker}
suite=${NEXT_SUITE:-trixie}
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins

have() { "$docker" "$1" version >/dev/null 2>&1; }

if have compose && have buildx; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$plugins"
chmod -R 755 "$work"
sh "$here/apt_sources.sh" "$suite" >"$work/sources.list"

# Its own lists and sources: the machine's apt never hears of the other suite.
foreign_apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
    -o Dir::Cache::archives="$work/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}

foreign_apt update
(cd "$work" && foreign_apt download docker-compose docker-buildx)
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
find "$work/tree" -type f -path '*/cli-plugins/docker-*' -exec install -m 0755 -t "$plugins" {} +
have compose && have buildx
echo "compose $("$docker" compose version --short), $("$docker" buildx version | cut -d' ' -f1-2)"
