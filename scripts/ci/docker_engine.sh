#!/bin/sh
# Start a Docker engine on a plain Debian machine; do nothing where one answers already.
# Usage: docker_engine.sh        (as root; the packages come from whatever the machine's own apt is set up with)
set -eu

answers() { docker info >/dev/null 2>&1; }

install_packages() {
  if command -v dockerd >/dev/null && command -v mmdebstrap >/dev/null; then return 0; fi
  echo "installing the engine" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io docker-cli mmdebstrap iptables ca-certificates >/dev/null 2>&1 ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io mmdebstrap iptables ca-certificates >/dev/null
}

start() {
  log=${DOCKER_ENGINE_LOG:-/var/log/dockerd.log}
  # A session of its own: the engine outlives the shell that started it.
  setsid nohup dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 120); do
    if answers; then return 0; fi
    sleep 0.5
  done
  echo "the engine did not answer within 60 seconds; the end of $log:" >&2
  tail -20 "$log" >&2
  return 1
}

if answers; then
  # The engine may be another's; the base image still needs its own tool.
  if ! command -v mmdebstrap >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then install_packages; fi
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "no Docker engine answers, and only root can start one" >&2
  exit 1
fi
install_packages
start
