#!/bin/sh
# Runs once, on an empty data folder: the two databases with an owner each, and the role that a replica copies as.
# The owners' passwords are those of the addresses that the services use, so that each stands in one file only.
(
  set -eu
  secrets=${SECRETS_DIR:-/run/secrets}

  # The password of an address like scheme://user:password@host/name. Only letters, digits, - and _: nothing to escape.
  password_of() {
    found=$(sed -n '1s|^[^:]*://[^:@/]*:\([^@/]*\)@.*|\1|p' "$secrets/$1")
    checked "$1" "$found"
  }

  checked() {
    case $2 in
      '' | *[!A-Za-z0-9_-]*)
        echo "init: the password in the secret $1 must be of letters, digits, - and _ (docker/make_secrets.sh makes one)" >&2
        exit 1
        ;;
    esac
    printf '%s' "$2"
  }

  aquascene=$(password_of database_url)
  prefect=$(password_of prefect_server_database_connection_url)
  replicator=$(checked postgres_replication_password "$(cat "$secrets/postgres_replication_password")")

  PGPASSWORD=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}
  export PGPASSWORD
  # Over standard input: arguments would stand in the list of processes.
  psql --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<SQL
CREATE ROLE aquascene LOGIN PASSWORD '$aquascene';
CREATE ROLE prefect LOGIN PASSWORD '$prefect';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD '$replicator';
CREATE DATABASE aquascene OWNER aquascene;
CREATE DATABASE prefect OWNER prefect;
REVOKE ALL ON DATABASE aquascene FROM PUBLIC;
REVOKE ALL ON DATABASE prefect FROM PUBLIC;
\connect prefect
CREATE EXTENSION pg_trgm;
SQL

  # "all" does not mean replication.
  echo 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
)
