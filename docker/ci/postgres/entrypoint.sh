#!/bin/sh
# What the official image's entry point does, as far as our compose and stack files use it:
#   POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each also as NAME_FILE), POSTGRES_INITDB_ARGS, PGDATA,
#   /docker-entrypoint-initdb.d/*.sh and *.sql once, on an empty data folder; any other command is run as it is.
# A streaming replica begins as a base backup of its primary: the command that takes it fills PGDATA, and then
# `postgres` finds a data folder and creates none.
set -eu

from_file() {
  eval "value=\${$1:-} file=\${${1}_FILE:-}"
  if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
  export "$1=${value:-$2}"
}

create() {
  from_file POSTGRES_USER postgres
  from_file POSTGRES_PASSWORD ''
  from_file POSTGRES_DB "$POSTGRES_USER"
  if [ -z "$POSTGRES_PASSWORD" ]; then
    echo "postgres: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE: a database without a password is not started" >&2
    exit 1
  fi
  password=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
  # shellcheck disable=SC2086  # the arguments are several words by intention
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
  rm -f "$password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  # Only the socket answers until all is prepared, so that nobody meets a half-made database.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  if [ "$POSTGRES_DB" != postgres ]; then
    psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -v name="$POSTGRES_DB" <<'SQL'
CREATE DATABASE :"name";
SQL
  fi
  run_init_files
  pg_ctl -D "$PGDATA" -m fast -w stop
}

run_init_files() {
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else sh "$file"; fi ;;
      *.sql) psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$file" ;;
    esac
  done
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "$(id -u)" = 0 ]; then
  # Started as root, as the official image is by default: give the folders to the server's user and become it.
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$PGDATA" /var/run/postgresql
  exec gosu postgres "$0" "$@"
fi
if [ "${1:-}" = postgres ]; then
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA"
  if [ ! -s "$PGDATA/PG_VERSION" ]; then create; fi
fi
exec "$@"
