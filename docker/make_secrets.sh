#!/bin/sh
# Make the secret files that Compose and the Swarm stack read: strong random ones, where they are missing.
# Usage: make_secrets.sh [FOLDER]        (default: docker/secrets)
#   ENVIRONMENT=staging leaves out what only the sandbox needs; put the real keys there yourself.
# A file that exists is never changed. The folder is closed to other users of the machine; inside it the files can be
# read by any user number, because the containers' users have other numbers than you. `flows` is what flow runs see.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${SECRETS_PATH:-$here/secrets}}
environment=${ENVIRONMENT:-development}

command -v openssl >/dev/null || { echo "make_secrets: install openssl" >&2; exit 1; }
umask 022
mkdir -p "$folder/flows"
chmod 0700 "$folder"
chmod 0755 "$folder/flows"

count() { find "$folder" -type f | wc -l; }
before=$(count)

word() { openssl rand -hex 24; }

# put NAME: standard input becomes the file NAME, unless there is one.
put() {
  if [ -s "$folder/$1" ]; then
    cat >/dev/null
    return
  fi
  cat >"$folder/$1.new"
  [ -s "$folder/$1.new" ] || { echo "make_secrets: nothing was made for $1" >&2; exit 1; }
  chmod 0644 "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
}

# of NAME: what the file NAME holds, or what is handed over.
of() { if [ -s "$folder/$1" ]; then cat "$folder/$1"; else printf '%s' "$2"; fi; }

# password_in NAME: the password of the address in a file, so that files that repeat it agree.
password_in() { of "$1" "x://x:$(word)@x" | sed -n '1s|^[^:]*://[^:@/]*:\([^@/]*\)@.*|\1|p'; }

aquascene=$(password_in flows/database_url)
prefect=$(password_in prefect_server_database_connection_url)
redis=$(password_in flows/redis_url)
operator=$(of prefect_server_api_auth_string "operator:$(word)")

word | put postgres_password
word | put postgres_replication_password
word | put grafana_admin_password
openssl rand -base64 48 | tr -d '\n' | put flows/jwt_secret
openssl rand -base64 32 | tr '+/' '-_' | put prefect_server_encryption_key
printf '%s' "$operator" | put prefect_server_api_auth_string
printf '%s' "$operator" | put flows/prefect_api_auth_string
printf 'postgresql://aquascene:%s@postgres:5432/aquascene' "$aquascene" | put flows/database_url
printf 'postgresql://aquascene:%s@postgres-replica:5432/aquascene' "$aquascene" | put database_replica_url
printf 'postgresql+asyncpg://prefect:%s@postgres:5432/prefect' "$prefect" | put prefect_server_database_connection_url
printf 'redis://default:%s@redis:6379/2' "$redis" | put flows/redis_url
printf 'redis://default:%s@redis:6379/0' "$redis" | put prefect_redis_messaging_url
printf 'redis://default:%s@redis:6379/0' "$redis" | put prefect_redis_worker_cleanup_queue_url
printf 'redis://default:%s@redis:6379/1' "$redis" | put prefect_server_docket_url

if [ "$environment" = staging ]; then
  printf 'route: {receiver: none}\nreceivers: [{name: none}]\n' | put alertmanager_config
else
  # The sandbox: it takes any key, and signs its delivery events like the real service.
  printf 'sandbox' | put flows/openai_api_key
  printf 'sandbox' | put flows/anthropic_api_key
  printf 'sandbox' | put flows/sendgrid_api_key
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt | put sandbox_webhook_key
  openssl pkey -in "$folder/sandbox_webhook_key" -pubout -outform DER | openssl base64 -A | put flows/sendgrid_webhook_public_key
  # The profile s3.
  word | put flows/object_store_access_key
  word | put flows/object_store_secret_key
  printf '{"identities": [{"name": "aquascene", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}' \
    "$(cat "$folder/flows/object_store_access_key")" "$(cat "$folder/flows/object_store_secret_key")" | put seaweedfs_s3_config
  # Compose reads docker/.env: the group that owns the Docker socket, which the worker joins.
  if [ "$folder" = "$here/secrets" ] && [ ! -e "$here/.env" ]; then
    group=$(stat -c %g "${DOCKER_SOCKET:-/var/run/docker.sock}" 2>/dev/null || echo 0)
    echo "DOCKER_GID=$group" >"$here/.env"
  fi
fi
echo "$folder: $(($(count) - before)) new files"
