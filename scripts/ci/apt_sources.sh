#!/bin/sh
# Print the machine's own Debian archives as one-line sources; no archive is named here.
# Usage: apt_sources.sh [SUITE]     (default: every suite that the machine has; SUITE: that suite's main part, from the same archive)
set -eu
wanted=${1:-}
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
options=
if [ -e "$keyring" ]; then options="[signed-by=$keyring] "; fi

archives() {
  # shellcheck disable=SC2016  # $(…) is apt's own format here, not the shell's
  apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null | sed -n 's/^Debian|//p' | sort -u
}

# Before its first update apt does not know what it reaches.
if [ -z "$(archives)" ]; then apt-get update -qq >&2; fi
archives | while IFS='|' read -r uri release component; do
  if [ -z "$wanted" ]; then
    echo "deb $options$uri $release $component"
  elif [ "$release" = "$codename" ] && [ "$component" = main ]; then
    echo "deb $options$uri $wanted main"
  fi
done
