#!/bin/sh
# `start`: Redis with the password of the secret redis_url, kept on disk. `check`: healthy when it answers to that password.
# Redis reads no password from a file, and one among its arguments would stand in the list of processes.
set -eu

password() { sed -n '1s|^[^:]*://[^:@/]*:\([^@/]*\)@.*|\1|p' /run/secrets/redis_url; }

case ${1:-} in
  start)
    umask 077
    {
      printf 'requirepass %s\n' "$(password)"
      echo 'dir /data'
      echo 'appendonly yes'
      echo 'appendfsync everysec'
      # Prefect's events, locks and leases live here: a full Redis must refuse, never forget.
      echo 'maxmemory 512mb'
      echo 'maxmemory-policy noeviction'
    } >/tmp/redis.conf
    exec redis-server /tmp/redis.conf
    ;;
  check)
    REDISCLI_AUTH=$(password)
    export REDISCLI_AUTH
    [ "$(redis-cli -h 127.0.0.1 ping)" = PONG ]
    ;;
  *)
    echo "usage: redis.sh start|check" >&2
    exit 64
    ;;
esac
