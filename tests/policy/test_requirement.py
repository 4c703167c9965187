"""Everything that the deployment document names has a row in docs/requirement.md, and the rows name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "requirement.md").read_text(encoding="utf-8")

NAMED = {
    "targets": ["Development", "Staging", "Production", "Edge/Demo", "Platform", "Complexity"],
    "diagram": [
        *("Load Balancer", "CDN", "Load Balancer Multiple Zones", "Ingress Controller", "Microservices Pods", "PostgreSQL Primary", "PostgreSQL Replica"),
        *("PostgreSQL HA", "Redis Cluster", "Redis HA", "MinIO Cluster", "Object Storage", "Monitoring Stack", "Backup Storage", "Log Aggregation"),
        "Metrics Storage",
    ],
    "matrix": [
        *("Containers", "Networking", "Infrastructure Storage", "Database", "Cache", "Monitoring", "Debug", "Hot Reload", "SSL", "Log Level"),
        *("External APIs", "Database Pool Size", "CPU Limits", "Memory Limits", "Resource Storage", "Backup"),
    ],
    "promotion": [
        "Feature Branch",
        "Pull Request",
        "Staging Integration Tests",
        "Release Branch",
        "Blue-Green Deploy",
        "Rollback to Dev",
        "Rollback to Previous",
    ],
    "services": [
        *("content-manager", "ai-processor", "web-scraper", "distributor", "subscriber-manager", "admin-dashboard", "/health", "/metrics"),
    ],
    "compose": [
        *("docker-compose.yml", "docker-compose.staging.yml", "docker-compose.test.yml", "version: '3.8'", "x-common-variables", "x-resource-limits"),
        *("build.context ./services/…", "SERVICE_NAME", "./shared:/app/shared", "DB_PASSWORD", "REDIS_PASSWORD", "db_password", "infrastructure/database/init"),
        *("postgres_data", "redis_data", "minio_data", "content-engine", "traefik", "node.labels.database", "VERSION", "update_config", "depends_on"),
    ],
    "kubernetes": [
        *("kubernetes/namespace.yaml", "kubernetes/content-manager-deployment.yaml", "kubernetes/content-manager-service.yaml"),
        *("kubernetes/content-manager-hpa.yaml", "runAsUser: 10001", "livenessProbe", "readinessProbe", "content-manager-config", "shared-storage"),
        *("redis-secrets", "image: …:${VERSION}", "labels: version: v1"),
    ],
    "workflow": [
        *(".github/workflows/deploy.yml", "job test", "service containers", "Run integration tests", "job build", "matrix service", "docker/metadata-action"),
        *("cache-from: type=gha", "job deploy-staging", "job deploy-production", "STAGING_HOST", "STAGING_DOCKER_HOST", "KUBE_CONFIG", "Run smoke tests"),
        *("API_KEY", "job notify", "SLACK_WEBHOOK"),
    ],
    "scripts": [
        *("scripts/deploy.sh", "scripts/blue-green-deploy.sh", "scripts/wait-for-health.sh", "scripts/smoke-tests.sh", "scripts/health-check.sh"),
        "scripts/production-tests.sh",
    ],
    "configuration": [
        *("base_config.yaml", "development.yaml", "staging.yaml", "production.yaml", "database.pool_size", "database.max_overflow", "database.pool_timeout"),
        *("database.pool_recycle", "database.ssl_mode", "redis.pool_size", "redis.timeout", "redis.cluster_mode", "redis.sentinel_hosts"),
        *("services.ai_processor.timeout", "services.ai_processor.max_concurrent", "services.web_scraper.rate_limit", "services.web_scraper.timeout"),
        *("logging.level", "logging.format", "logging.handlers", "monitoring.enabled", "monitoring.prometheus_endpoint"),
        *("monitoring.health_check_endpoint", "monitoring.metrics_port", "app_config.yaml", "rate_limiting.requests_per_hour", "rate_limiting.burst_size"),
    ],
    "secrets": ["database-secrets", "api-keys", "openai_api_key", "anthropic_api_key", "sendgrid_api_key", "jwt_secret"],
    "loading": [
        *("DatabaseConfig", "RedisConfig", "APIKeysConfig", "Config", "validate_pool_size", "validate_jwt_secret", "load_config", "env_nested_delimiter"),
        *(".env", "ENVIRONMENT", "DEBUG", "LOG_LEVEL", "CONFIG_FILE", "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
        *("SENDGRID_API_KEY", "JWT_SECRET"),
    ],
    "patterns": [
        *("Rolling Deployment", "Canary Deployment", "error-rate", "10 % 5m, 25 % 10m, 50 % 10m, 100 %", "MigrationManager", "deploy_with_migrations"),
        "validate_deployment",
    ],
    "databases": [
        *("postgres-cluster", "instances: 3", "max_connections", "shared_buffers", "bootstrap.initdb", "postgres-credentials", "fast-ssd"),
        *("monitoring.enabled: true", "barmanObjectStore", "s3://aquascene-backups/postgres", "backup-credentials", "wal.retention: 7d", "data.retention: 30d"),
        *("redis-cluster", "maxmemory-policy: allkeys-lru", "redis_exporter:latest"),
    ],
    "availability": [
        *("Multi-Zone Deployment", "failure-domain.beta.kubernetes.io/zone", "us-west1-a", "us-west1-b", "us-west1-c", "content-engine-ingress"),
        *("api.aquascene.com", "nginx.ingress.kubernetes.io/rate-limit", "upstream-hash-by", "load-balance", "letsencrypt-prod", "aquascene-tls"),
        *("/api/v1/content", "/api/v1/generate", "/api/v1/subscribers"),
    ],
    "missing chapters": ["Monitoring and Logging Deployment", "Disaster Recovery and Backup"],
}
# Folders whose files the rows name; a path with a * or an … is a group of them.
_PATH = re.compile(r"`((?:aquascene|config|deployments|docker|k8s|migrations|scripts|tests|\.github)/[\w./-]*)`")


def first_cells() -> str:
    """The first cell of every row: what the document names."""
    return "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| "))


@pytest.mark.parametrize("part", NAMED)
def test_everything_that_is_named_has_a_row(part: str) -> None:
    rows = set(re.findall(r"`([^`]+)`", first_cells()))
    assert [name for name in NAMED[part] if name not in rows] == []


def test_every_row_says_where_it_is() -> None:
    empty = [line for line in PAGE.splitlines() if line.startswith("| `") and not line.split("|")[2].strip()]
    assert empty == []


def test_files_that_rows_name_exist() -> None:
    cells = [cell for line in PAGE.splitlines() if line.startswith("| ") for cell in line.split("|")[2:]]
    named = {path for cell in cells for path in _PATH.findall(cell)}
    assert len(named) > 30
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
