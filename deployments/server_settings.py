"""The environment of Prefect's own processes, as plain data: Compose, Swarm and Kubernetes are rendered from it.

`environment("prefect-server")` is what one process gets; `SECRETS` names the secret files that it has to see beside
that. Nothing here is secret and nothing depends on the environment: addresses and certificates belong to the stack
(PREFECT_API_URL for whoever calls the API, PREFECT_SERVER_UI_API_URL for `prefect-server`, PREFECT_UI_URL for
`prefect-services`, whose notifications have links). Needs no Prefect to be imported; a policy test checks every name
and value against the settings model of the Prefect that is locked.
"""

from typing import Literal

Role = Literal["prefect-server", "prefect-services", "worker", "apply", "migrate"]

# Every process that speaks Prefect: servers, workers and, through the worker, flow runs.
COMMON = {
    "PREFECT_HOME": "/tmp/prefect",  # noqa: S108  # the root file system is read-only; nothing of value is kept there
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",  # a container must fail, never wait for an answer
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # a client without an address must fail, never start a server of its own
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "aquascene,flows,tasks,blocks,deployments",
    "PREFECT_LOGGING_ROOT_LEVEL": "INFO",  # a variable of Prefect's logging.yml: without it our own lines do not reach the run's log
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",  # the same for clients; not a Prefect name, but one that it reads
}

# Both halves of the server. Any of them may execute any background task (docket hands them round), so the
# settings of the vacuum and of the batches are the same in both.
_SERVER = {
    # One migrator (the `migrate` role); replicas that start together would race.
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    # 10 connections per process at most: two API replicas and one services process make 30.
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "5",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "5",
    # Messaging, event order, leases and the cleanup queue live in Redis as soon as there is more than one process.
    # The in-memory defaults lose events between replicas, stall task states for a quarter of an hour and forget
    # held slots at a restart. Redis needs `maxmemory-policy noeviction`.
    "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
    "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
    # Measured: with the defaults (1, 1, 20, 1, 1) a burst of a thousand task runs is visible after 40 s, with these after 7 s.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
    # Runs are kept for 30 days after their end (2592000 s); without this they are never deleted. A waiting review has
    # no end and is never touched. Events go after 7 days (this one is no number, but an ISO 8601 duration).
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "2592000",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
    # A container takes some seconds to start: late is what is not running a minute after its time.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
}

# An API replica: `prefect server start --no-services`, as many as wanted.
API = {
    **_SERVER,
    "PREFECT_SERVER_API_HOST": "0.0.0.0",  # noqa: S104  # inside a container; the network decides who reaches it
    "PREFECT_SERVER_API_PORT": "4200",
    # Longer than routers keep an idle connection (Traefik: 90 s), or a request on a connection just closed answers 502.
    "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "120",
    # Prefect's clients and our own (adapters/prefect_api.py) fetch a token when they are asked for one.
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    # Replicas that start together would insert the same types; `deployments.apply` registers those that we use.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_METRICS_ENABLED": "true",  # /api/metrics, behind the same authentication as the rest
    "PREFECT_SERVER_UI_STATIC_DIRECTORY": "/tmp/prefect-ui",  # noqa: S108  # it copies the UI at its start, and its own folder is read-only
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_APPLICATION_NAME": "prefect-server",
}

# The background services: `prefect server services start`. Several are allowed, because docket is in Redis.
SERVICES = {
    **_SERVER,
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_APPLICATION_NAME": "prefect-services",
}

# A worker; it hands its own PREFECT_* settings on to the runs that it starts.
WORKER = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # the automation `dead-runs` gives up a run after 240 s of silence
    "PREFECT_WORKER_QUERY_SECONDS": "5",
    "PREFECT_WORKER_WEBSERVER_HOST": "0.0.0.0",  # noqa: S104  # /health of `--with-healthcheck`
    "PREFECT_WORKER_WEBSERVER_PORT": "8080",
}

# TLS to PostgreSQL with the server's name verified; add PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE
# where the authority is not one of the system's. Prefect listens with LISTEN/NOTIFY, so its URL must name the server
# itself and never a pooler in transaction mode.
DATABASE_TLS = {
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED": "true",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CHECK_HOSTNAME": "true",
}

# A Kubernetes worker watches its own namespace only; the default wants a ClusterRole.
KUBERNETES_WORKER = {"PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "aquascene"}

_SERVER_SECRETS = (
    "prefect_server_database_connection_url",  # postgresql+asyncpg://prefect:…@host/prefect
    "prefect_server_encryption_key",  # a Fernet key; kept apart from the database that it protects
    "prefect_server_api_auth_string",  # user:password
    "prefect_redis_messaging_url",  # redis://…/0, also rediss:// and redis+sentinel://a:26379,b:26379/master/0
    "prefect_redis_worker_cleanup_queue_url",  # the same address
    "prefect_server_docket_url",  # the same server, another database: redis://…/1
)

# Prefect's secret files that a role sees, and no others: what a worker can read, it can hand on. `apply` and runs see
# the product's own secrets (database_url, jwt_secret, ...) beside these; a Docker or Kubernetes worker needs none of them.
SECRETS: dict[Role, tuple[str, ...]] = {
    "prefect-server": _SERVER_SECRETS,
    "prefect-services": _SERVER_SECRETS,
    "worker": ("prefect_api_auth_string",),
    "apply": ("prefect_api_auth_string",),
    "migrate": ("prefect_server_database_connection_url",),
}

_OWN: dict[Role, dict[str, str]] = {"prefect-server": API, "prefect-services": SERVICES, "worker": WORKER, "apply": {}, "migrate": {}}


def environment(role: Role) -> dict[str, str]:
    """Give the variables of one process."""
    return {**COMMON, **_OWN[role]}
