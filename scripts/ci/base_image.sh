#!/bin/sh
# Make small base images from Debian's packages, without any image registry:
#   local/python:3.11   Python and nothing else, for docker/Dockerfile
#   local/debian:12     a plain Debian with apt, for docker/ci/*.Dockerfile
# Usage: base_image.sh [python|debian]...     (as root; needs mmdebstrap and an engine; default is both)
# Both carry this machine's certificate bundle, so that they work behind its proxy: for tests only, never to be published.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
docker=${DOCKER:-docker}
bundle=/etc/ssl/certs/ca-certificates.crt
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

make_root() {
  variant=$1 packages=$2 root=$3
  mmdebstrap --quiet --variant="$variant" --include="$packages" "$suite" "$root" "$work/sources.list"
  mkdir -p "$root/etc/ssl/certs" "$root/tmp"
  chmod 1777 "$root/tmp"
  cp "$bundle" "$root$bundle"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale
}

load() {
  root=$1 tag=$2
  tar -C "$root" --numeric-owner -c . | "$docker" import -c "ENV PATH=$path LANG=C.UTF-8 PIP_CERT=$bundle SSL_CERT_FILE=$bundle REQUESTS_CA_BUNDLE=$bundle" -c "CMD [\"$3\"]" - "$tag" >/dev/null
  echo "$tag: $("$docker" image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.0f MB", $1 / 1000000}')"
}

python_image() {
  root=$work/python
  # Packages are unpacked, not configured: what their scripts would have made is made below. greenlet needs libstdc++6.
  make_root extract python3,python3-venv,ca-certificates,coreutils,dash,tar,base-passwd,base-files,libstdc++6,grep,sed,findutils,tzdata "$root"
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  if [ ! -e "$root/bin/sh" ]; then ln -s dash "$root/bin/sh"; fi
  ln -sf python3 "$root/usr/bin/python"
  load "$root" local/python:3.11 python3
}

debian_image() {
  root=$work/debian
  make_root apt ca-certificates,tzdata "$root"
  load "$root" local/debian:12 sh
}

sh "$here/apt_sources.sh" >"$work/sources.list"
[ $# -gt 0 ] || set -- python debian
for name in "$@"; do
  case $name in
    python) python_image ;;
    debian) debian_image ;;
    *) echo "unknown base image: $name (python or debian)" >&2; exit 64 ;;
  esac
done
