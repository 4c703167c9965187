#!/bin/sh
# Starts a streaming replica: the first time as a base backup of the primary, later from its own folder.
# The slot on the primary keeps what the replica has not read yet, up to max_slot_wal_keep_size; a replica that was away
# for longer begins anew: remove its volume.
set -eu
primary=${PRIMARY_HOST:-postgres}
slot=${REPLICATION_SLOT:-replica}
PGPASSFILE=/tmp/pgpass
export PGPASSFILE

umask 077
printf '%s:5432:*:replicator:%s\n' "$primary" "$(cat /run/secrets/postgres_replication_password)" >"$PGPASSFILE"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  until pg_isready --quiet --host="$primary" --timeout=5; do
    echo "replica: waiting for $primary"
    sleep 2
  done
  # A copy that was broken off left files behind, and perhaps the slot.
  find "$PGDATA" -mindepth 1 -delete
  psql --quiet "host=$primary user=replicator replication=true" --command="DROP_REPLICATION_SLOT $slot" >/dev/null 2>&1 || true
  pg_basebackup --host="$primary" --username=replicator --no-password --pgdata="$PGDATA" --wal-method=stream --checkpoint=fast \
    --create-slot --slot="$slot" --write-recovery-conf
  chmod 0700 "$PGDATA"
fi

exec "$@"
