"""Rules that the settings of production keep, the part of them that staging keeps too, and a few for everywhere.

A rule is a pure function of the settings: None where it holds, otherwise `what is wrong; what to do`, never a value that
could be secret. All broken rules are told at once, each with its code, and in production every one of them stops every
process: one environment has one configuration, so what is wrong is wrong for all, and a warning would not be read. In
staging the rules about what is exposed stop; the rest is told by `aquascene config check`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import SecretStr

from aquascene.adapters.secret_strength import weakness
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.settings_urls import host_of, is_example, is_inside, is_readable, scheme_of, tcp_mode

if TYPE_CHECKING:
    from aquascene.adapters.settings import Settings


class Effect(StrEnum):
    """What a broken rule does."""

    STOPS = "stops"
    REPORTED = "reported"


@dataclass(frozen=True)
class Rule:
    """One rule: its code, the check, where it holds, the settings it reads, and those without which it cannot be judged."""

    code: str
    broken: Callable[["Settings"], str | None]
    effects: Mapping[Environment, Effect]
    reads: tuple[str, ...]
    needs: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it asks for, as the check's own documentation says it."""
        return " ".join((self.broken.__doc__ or "").split())


_PRODUCTION = {Environment.PRODUCTION: Effect.STOPS}
_STAGING_TOO = {Environment.PRODUCTION: Effect.STOPS, Environment.STAGING: Effect.STOPS}
_STAGING_TOLD = {Environment.PRODUCTION: Effect.STOPS, Environment.STAGING: Effect.REPORTED}
_EVERYWHERE = dict.fromkeys(Environment, Effect.STOPS)

_PROVIDERS = ("openai_base_url", "anthropic_base_url", "sendgrid_base_url")
_ORIGINS = ("web.public_url", "publishing.site_url")
_DATABASES = ("database_url", "database_replica_url", "ledger_database_url")
_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_SENTINEL = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")


def _text(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def debug_off(now: "Settings") -> str | None:
    """`debug` is off: error answers must not show internals."""
    return "debug is on: error answers would show internals; set DEBUG=false" if now.debug else None


def log_level(now: "Settings") -> str | None:
    """`log_level` is WARNING or ERROR (audit rows and the logs of flow runs do not depend on it)."""
    return None if now.log_level in ("WARNING", "ERROR") else f"log_level is {now.log_level}; set LOG_LEVEL to WARNING or ERROR"


def database_url(now: "Settings") -> str | None:
    """`database_url` is set: nothing is embedded here."""
    return None if _text(now.database_url) else "database_url is not set, and nothing is embedded here; mount the secret file database_url"


def database_tls(now: "Settings") -> str | None:
    """TLS to every PostgreSQL verifies the server's name: `sslmode` in the URL, which wins, or else `database.ssl_mode`, is verify-full.

    A Unix socket needs none.
    """
    urls = {name: _text(getattr(now, name)) for name in _DATABASES}
    modes = {name: tcp_mode(url, now.database.ssl_mode) for name, url in urls.items() if url} or {"database_url": now.database.ssl_mode}
    weak = [f"{name} ({mode})" for name, mode in modes.items() if mode not in (None, "verify-full", "unreadable")]
    if not weak:
        return None
    return f"PostgreSQL is not asked who it is: {', '.join(weak)}; set DATABASE__SSL_MODE=verify-full and take other modes out of the URL"


def jwt_secret(now: "Settings") -> str | None:
    """`jwt_secret` has at least 32 bytes once base64 or hex is decoded, is no well-known word and looks random."""
    found = weakness(_text(now.jwt_secret))
    return f"jwt_secret {found}; make one with `openssl rand -base64 48`" if found else None


def _is_public(url: str) -> bool:
    return scheme_of(url) == "https" and not is_inside(host_of(url))


def sandbox_writer(now: "Settings") -> str | None:
    """`generation.allow_sandbox` is off: what the stand-in writes must not reach readers."""
    return "the sandbox may write articles; set GENERATION__ALLOW_SANDBOX=false" if now.generation.allow_sandbox else None


def sandbox_url(now: "Settings") -> str | None:
    """Providers are asked at public https addresses: no `*_base_url` is http or leads to this machine or a private network."""
    wrong = [name for name in _PROVIDERS if (url := getattr(now, name)) and not _is_public(url)]
    return f"{', '.join(wrong)}: not a public https address; unset it, or name the provider's own" if wrong else None


def https_url(now: "Settings") -> str | None:
    """Readers come by https: `web.public_url` and `publishing.site_url`, and not to a loopback or private address."""
    urls = dict(zip(_ORIGINS, (now.web.public_url, now.publishing.site_url), strict=True))
    wrong = [name for name, url in urls.items() if not _is_public(url)]
    return f"{', '.join(wrong)}: not a public https address; set it to the one that readers use" if wrong else None


def image_digest(now: "Settings") -> str | None:
    """`image` is named by digest (`registry/name@sha256:...`): a tag may change under a release."""
    return None if _DIGEST.fullmatch(now.image) else "image is not named by its digest; set IMAGE to registry/name@sha256:<64 hex digits>"


def connection_budget(now: "Settings") -> str | None:
    """All web processes and flow runs at once fit into the database's connections.

    `(pool_size + pool_overflow) * web_replicas + (flow_run_pool_size + pool_overflow) * flow_runs <= max_connections - reserved_connections`
    """
    data, scale = now.database, now.scale
    web = (data.pool_size + data.pool_overflow) * scale.web_replicas
    runs = (scale.flow_run_pool_size + data.pool_overflow) * scale.flow_runs
    room = data.max_connections - data.reserved_connections
    if web + runs <= room:
        return None
    counted = f"web processes may open {web} connections and flow runs {runs}, {web + runs} together"
    return f"{counted}, but the database has {room} for them ({data.max_connections} - {data.reserved_connections}); make pools or scale smaller"


def loopback_allow(now: "Settings") -> str | None:
    """`fetch.loopback_allow` is empty: a page could make us ask our own services."""
    return "fetch.loopback_allow is not empty: a page could make us ask our own services; remove it" if now.fetch.loopback_allow else None


def private_allow(now: "Settings") -> str | None:
    """`fetch.private_allow` is empty, for the same reason."""
    return "fetch.private_allow is not empty: a page could make us ask our own services; remove it" if now.fetch.private_allow else None


def prefect_door(now: "Settings") -> str | None:
    """`review.prefect_door` is closed: Prefect's UI knows no users, so nobody would know who approved."""
    return "verdicts are taken from Prefect's UI, which knows no users; set REVIEW__PREFECT_DOOR=false" if now.review.prefect_door else None


def prefect_auth(now: "Settings") -> str | None:
    """`prefect_api_auth_string` is set as `user:password`: the Prefect API starts and stops everything."""
    user, _, password = _text(now.prefect_api_auth_string).partition(":")
    return None if user and password else "prefect_api_auth_string is not user:password; mount the secret file prefect_api_auth_string"


def backup(now: "Settings") -> str | None:
    """`backup.mode` is continuous in production, at least daily in staging."""
    wanted = ("continuous",) if now.environment is Environment.PRODUCTION else ("continuous", "daily")
    return None if now.backup.mode in wanted else f"backup.mode is {now.backup.mode}; set BACKUP__MODE={wanted[-1]} and make sure that it is true"


def retention(now: "Settings") -> str | None:
    """Backups are kept at least 30 days (`backup.keep_days`), write-ahead log at least 7 (`backup.keep_wal_days`)."""
    if now.backup.keep_days >= 30 and now.backup.keep_wal_days >= 7:
        return None
    return f"backups are kept {now.backup.keep_days} days and write-ahead log {now.backup.keep_wal_days}; keep at least 30 and 7"


def redis(now: "Settings") -> str | None:
    """`redis_url` is set: with several web processes, rate limits must be counted in one place."""
    return None if _text(now.redis_url) else "redis_url is not set: each web process would count rate limits alone; mount the secret file redis_url"


def object_store(now: "Settings") -> str | None:
    """`object_store_url` is an S3 endpoint that all processes share, by https in production: no folder of one machine."""
    wanted = ("s3+https",) if now.environment is Environment.PRODUCTION else ("s3+https", "s3+http")
    if scheme_of(now.object_store_url) in wanted and host_of(now.object_store_url):
        return None
    return f"object_store_url is no {' or '.join(wanted)} address; set OBJECT_STORE_URL to {wanted[0]}://host/bucket?region=..."


def webhook_key(now: "Settings") -> str | None:
    """`sendgrid_webhook_public_key` is there where `sendgrid_api_key` is: otherwise nobody knows what became of a mail."""
    if not _text(now.sendgrid_api_key) or now.sendgrid_webhook_public_key:
        return None
    return "mail is sent, but delivery events cannot be verified; set SENDGRID_WEBHOOK_PUBLIC_KEY to the key that SendGrid shows"


def example_address(now: "Settings") -> str | None:
    """No address is an example any more: `newsletter.from_email`, `reply_to` and `postal_address`, `fetch.user_agent`, the public addresses."""
    news = now.newsletter
    mails = {"newsletter.from_email": news.from_email, "newsletter.reply_to": news.reply_to or ""}
    urls = dict(zip(_ORIGINS, (now.web.public_url, now.publishing.site_url), strict=True))
    wrong = [name for name, mail in mails.items() if is_example(mail.rpartition("@")[2])]
    wrong += [name for name, url in urls.items() if is_example(host_of(url))]
    wrong += ["newsletter.postal_address"] if re.search(r"(?i)\bexample\b", news.postal_address) else []
    wrong += ["fetch.user_agent"] if any(is_example(word) for word in re.findall(r"[\w.-]+", now.fetch.user_agent)) else []
    return f"still an example: {', '.join(wrong)}; set your own" if wrong else None


def metrics_port(now: "Settings") -> str | None:
    """`web.metrics_port` is set and not the public port: counts are nobody's business outside."""
    return None if now.web.metrics_port not in (None, now.web.port) else "metrics are served on the public port; set WEB__METRICS_PORT=9090"


def forwarded_ips(now: "Settings") -> str | None:
    """`web.forwarded_allow_ips` names proxies, not everybody: an address in a header would pass any rate limit."""
    listed = {part.strip() for part in now.web.forwarded_allow_ips.split(",")}
    open_to_all = listed & {"*", "0.0.0.0/0", "::/0"}
    return "everybody's X-Forwarded-For is believed; set WEB__FORWARDED_ALLOW_IPS to the router's addresses" if open_to_all else None


def sentinel_hosts(now: "Settings") -> str | None:
    """Each of `redis.sentinel_hosts` is `host:port`."""
    ports = [match and int(match[1]) for match in map(_SENTINEL.fullmatch, now.redis.sentinel_hosts)]
    if all(port and port <= 65535 for port in ports):
        return None
    return 'redis.sentinel_hosts holds something that is not host:port; write ["redis-0.redis:26379", ...]'


def readable_url(now: "Settings") -> str | None:
    """Every address can be read as a URL; in a password `/`, `@`, `#`, `:` are written `%2F`, `%40`, `%23`, `%3A`."""
    databases = {name: _text(getattr(now, name)) for name in _DATABASES}
    wrong = [name for name, url in databases.items() if url and tcp_mode(url, "prefer") == "unreadable"]
    urls = {name: getattr(now, name) for name in (*_PROVIDERS, "prefect_api_url", "object_store_url")}
    urls |= {"redis_url": _text(now.redis_url), "cdn.purge_url": now.cdn.purge_url}
    wrong += [name for name, url in urls.items() if not is_readable(url or "")]
    return f"not a URL: {', '.join(wrong)}; write special characters of a password as %2F, %40, %23, %3A" if wrong else None


RULES: tuple[Rule, ...] = (
    Rule("debug-off", debug_off, _STAGING_TOO, ("debug",)),
    Rule("log-level", log_level, _PRODUCTION, ("log_level",)),
    Rule("database-url", database_url, _STAGING_TOO, ("database_url",), ("database_url",)),
    Rule("database-tls", database_tls, _PRODUCTION, (*_DATABASES, "database.ssl_mode")),
    Rule("jwt-secret", jwt_secret, _STAGING_TOO, ("jwt_secret",), ("jwt_secret",)),
    Rule("sandbox-writer", sandbox_writer, _STAGING_TOO, ("generation.allow_sandbox",)),
    Rule("sandbox-url", sandbox_url, _STAGING_TOLD, _PROVIDERS),
    Rule("https-url", https_url, _STAGING_TOLD, _ORIGINS, _ORIGINS),
    Rule("image-digest", image_digest, _STAGING_TOLD, ("image",), ("image",)),
    Rule(
        "connection-budget",
        connection_budget,
        _STAGING_TOLD,
        (
            "database.pool_size",
            "database.pool_overflow",
            "database.max_connections",
            "database.reserved_connections",
            "scale.web_replicas",
            "scale.flow_runs",
            "scale.flow_run_pool_size",
        ),
    ),
    Rule("loopback-allow", loopback_allow, _STAGING_TOO, ("fetch.loopback_allow",)),
    Rule("private-allow", private_allow, _STAGING_TOO, ("fetch.private_allow",)),
    Rule("prefect-door", prefect_door, _PRODUCTION, ("review.prefect_door",)),
    Rule("prefect-auth", prefect_auth, _STAGING_TOLD, ("prefect_api_auth_string",), ("prefect_api_auth_string",)),
    Rule("backup", backup, _STAGING_TOLD, ("backup.mode",)),
    Rule("retention", retention, _PRODUCTION, ("backup.keep_days", "backup.keep_wal_days")),
    Rule("redis", redis, _STAGING_TOLD, ("redis_url",), ("redis_url",)),
    Rule("object-store", object_store, _STAGING_TOLD, ("object_store_url",), ("object_store_url",)),
    Rule("webhook-key", webhook_key, _STAGING_TOLD, ("sendgrid_api_key", "sendgrid_webhook_public_key")),
    Rule(
        "example-address",
        example_address,
        _STAGING_TOLD,
        ("newsletter.from_email", "newsletter.reply_to", "newsletter.postal_address", "fetch.user_agent", *_ORIGINS),
        ("newsletter.from_email", "newsletter.postal_address", "fetch.user_agent", *_ORIGINS),
    ),
    Rule("metrics-port", metrics_port, _STAGING_TOLD, ("web.metrics_port", "web.port")),
    Rule("forwarded-ips", forwarded_ips, _STAGING_TOO, ("web.forwarded_allow_ips",)),
    Rule("readable-url", readable_url, _EVERYWHERE, (*_DATABASES, *_PROVIDERS, "prefect_api_url", "object_store_url", "redis_url", "cdn.purge_url")),
    Rule("sentinel-hosts", sentinel_hosts, _EVERYWHERE, ("redis.sentinel_hosts",)),
)
