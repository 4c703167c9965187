#!/bin/sh
# What the official image's entry point does: options alone mean redis-server, root becomes the server's user, and
# protected mode is off by default, since a container's network is what protects it (a configuration file may say otherwise).
set -eu

case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$(id -u)" = 0 ] && [ "${1:-}" = redis-server ]; then
  chown redis:redis /data
  exec gosu redis "$0" "$@"
fi
if [ "${1:-}" = redis-server ]; then
  shift
  case ${1:-} in
    '' | -*) set -- redis-server --protected-mode no "$@" ;;
    *) file=$1; shift; set -- redis-server "$file" "$@" ;;
  esac
fi
exec "$@"
