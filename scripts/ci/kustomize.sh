#!/bin/sh
# Print the path of a kustomize v5; fetch Debian's package of the next suite where the machine has none.
# Usage: KUSTOMIZE=$(sh scripts/ci/kustomize.sh)
# The archive and its keys come from the machine's own apt configuration; nothing is installed, the program is only unpacked.
set -eu
if command -v kustomize; then exit 0; fi
place=${KUSTOMIZE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aquascene/kustomize}
program=$place/usr/bin/kustomize
if [ -x "$program" ]; then echo "$program"; exit 0; fi

# shellcheck source=/dev/null
. /etc/os-release
case $VERSION_CODENAME in bookworm) suite=trixie ;; *) suite=$VERSION_CODENAME ;; esac
# shellcheck disable=SC2016  # apt itself puts these in
site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | awk -v own="$VERSION_CODENAME" '$2 == own {print $1; exit}')
[ -n "$site" ] || { echo "kustomize.sh: apt knows no archive for $VERSION_CODENAME; install kustomize 5 yourself" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/parts"
echo "deb $site $suite main" >"$work/sources.list"
apt() {
  apt-get -qq -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::Lists=$work/lists" \
    -o "Dir::Cache=$work" -o "Dir::Cache::Archives=$work/archives" -o APT::Sandbox::User=root "$@"
}
apt update >&2
(cd "$work" && apt download kustomize >&2)
mkdir -p "$place"
dpkg-deb -x "$work"/kustomize_*.deb "$place"
echo "$program"
