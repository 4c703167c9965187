#!/bin/sh
# The image's entry point: the first argument is a role; anything else is run as it is, which is how Prefect's
# workers start flow containers. Every role replaces this shell (exec), so that it gets the signals itself.
set -eu

: "${ENVIRONMENT:=demo}"
export ENVIRONMENT

# Prefect reads secrets from variables only: hand over its secret files, and print none. A variable that is set wins,
# as it does in our own settings, which read the folder themselves.
export_prefect_secrets() {
  for file in "${SECRETS_DIR:-/run/secrets}"/prefect_*; do
    [ -f "$file" ] || continue
    name=$(basename "$file" | tr '[:lower:]' '[:upper:]')
    case $name in *[!A-Z0-9_]*) continue ;; esac
    if [ ! -r "$file" ]; then
      echo "entrypoint: user $(id -u) may not read the secret file $file; mend its owner or mode" >&2
      exit 78
    fi
    if [ -z "$(printenv "$name" || true)" ]; then
      value=$(cat "$file")
      export "$name=$value"
    fi
  done
  unset file name value
}

# Prefect's lines in the form of our own (aquascene/adapters/logs.py): one JSON object each, on stdout.
log_as_json() {
  [ "${LOG_FORMAT:-json}" != text ] && [ "$ENVIRONMENT" != development ] || return 0
  export PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS=aquascene.adapters.logs.PrefectConsole
  export PREFECT_LOGGING_HANDLERS_CONSOLE_STREAM=ext://sys.stdout
  export PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER=json
  export PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER=json
  export PREFECT_LOGGING_FORMATTERS_JSON_CLASS=aquascene.adapters.logs.JsonFormatter
}

# The health check asks the role what to look at.
remember_role() {
  { echo "$1" >"${TMPDIR:-/tmp}/aquascene-role"; } 2>/dev/null || true
}

usage() {
  echo "entrypoint: unknown role or program: ${1:-nothing}" >&2
  echo "roles: web prefect-server prefect-services worker migrate apply sandbox smoke demo; or any program of the image" >&2
  exit 64
}

[ $# -gt 0 ] || usage
role=$1
shift
export_prefect_secrets
log_as_json
case $role in
  web | prefect-server | prefect-services | worker | migrate | apply | sandbox | smoke | demo) remember_role "$role" ;;
  *) remember_role none ;;
esac

case $role in
  web) exec python -m aquascene.web "$@" ;;
  prefect-server) exec prefect server start --no-services --host "${PREFECT_SERVER_API_HOST:-0.0.0.0}" "$@" ;;
  prefect-services) exec python "$(dirname "$0")/prefect_services.py" "$@" ;;
  worker)
    kind=${ORCHESTRATION__WORK_POOL:-process}
    exec prefect worker start --pool "${WORK_POOL_NAME:-aquascene-$ENVIRONMENT-$kind}" --type "$kind" --with-healthcheck "$@"
    ;;
  migrate)
    [ -n "${PREFECT_SERVER_DATABASE_CONNECTION_URL:-}" ] || exec aquascene db upgrade "$@"
    # Two programs in a row: this shell hands signals on to the first and becomes the second.
    aquascene db upgrade "$@" &
    trap 'kill -TERM $!' TERM INT
    wait $!
    trap - TERM INT
    exec prefect server database upgrade -y
    ;;
  apply) exec python -m deployments.apply "$@" ;;
  sandbox) exec python -m aquascene.sandbox "$@" ;;
  smoke) exec python -m aquascene.cli.smoke "$@" ;;
  demo)
    [ $# -gt 0 ] || set -- --keep
    exec aquascene demo "$@"
    ;;
  *)
    if ! command -v "$role" >/dev/null 2>&1; then usage "$role"; fi
    exec "$role" "$@"
    ;;
esac
