"""Builds the real ports from settings, for tasks, cli and web; the one place that knows which adapter serves a port."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from aquascene.adapters import settings

if TYPE_CHECKING:
    from aquascene.adapters.extraction import ExtractionPool
    from aquascene.adapters.fetchers.http import HttpFetcher
    from aquascene.adapters.politeness import PostgresHosts
    from aquascene.adapters.writers.paid import PaidWriters
    from aquascene.delivery.ports import Mailer
    from aquascene.drafting.ports import Writer
    from aquascene.publishing.model import Site
    from aquascene.sources.ports import ObjectStore
    from aquascene.sources.visit import Manners


def object_store() -> "ObjectStore":
    """Open the object store of the settings; only development and demo make a missing bucket."""
    from aquascene.adapters.storage.opening import open_store

    now = settings.current()
    makes_bucket = now.environment in {settings.Environment.DEVELOPMENT, settings.Environment.DEMO}
    return open_store(now.object_store, now.object_store_access_key, now.object_store_secret_key, create_bucket=makes_bucket)


def site() -> "Site":
    """Describe the publication from the settings."""
    from aquascene.publishing.model import Site

    now = settings.current().publishing
    return Site(now.site_title, now.site_description, now.site_url, now.time_zone, now.language)


def mailer() -> "Mailer":
    """The mail provider of the settings; without a key one that holds everything."""
    from aquascene.adapters.mailers.none import NoMailer
    from aquascene.adapters.mailers.opening import open_sendgrid

    now = settings.current()
    if now.sendgrid_api_key is None:
        return NoMailer()
    return open_sendgrid(now.sendgrid_api_key, now.sendgrid_base_url, now.newsletter)


def fetcher() -> "HttpFetcher":
    """Build the guarded HTTP fetcher; a production whose settings allow more than public addresses does not start."""
    from aquascene.adapters.fetchers.http import HttpFetcher
    from aquascene.sources.addresses import loopback_pairs, private_pairs

    now = settings.current()
    fetch, port = now.fetch, str(now.sandbox.publication_port)
    loopback, private = ([pair.replace("{publication_port}", port) for pair in listed] for listed in (fetch.loopback_allow, fetch.private_allow))
    return HttpFetcher(fetch.user_agent, loopback_pairs(loopback), fetch.max_body_bytes, fetch.connect_timeout_seconds, private_allow=private_pairs(private))


def hosts(run_id: UUID) -> "PostgresHosts":
    """Turns at hosts for one run."""
    from aquascene.adapters.politeness import PostgresHosts

    return PostgresHosts(run_id, timedelta(seconds=settings.current().fetch.timeout_seconds + 10))


def manners() -> "Manners":
    """How we behave towards hosts."""
    from aquascene.sources.visit import Manners

    fetch = settings.current().fetch
    return Manners(
        user_agent=fetch.user_agent,
        requests_per_second=fetch.requests_per_second,
        timeout_seconds=fetch.timeout_seconds,
        max_redirects=fetch.max_redirects,
        robots_ttl=timedelta(hours=fetch.robots_ttl_hours),
    )


def extraction_pool(processes: int | None = None) -> "ExtractionPool":
    """Build a pool of extraction children; use it as a context manager, one per run."""
    from aquascene.adapters.extraction import ExtractionPool

    fetch = settings.current().fetch
    return ExtractionPool(processes or fetch.extract_processes, fetch.extract_timeout_seconds, fetch.extract_memory_mb * 1024 * 1024)


def writers() -> "dict[str, Writer]":
    """The providers of language models that the settings hold a key for, by name."""
    from aquascene.adapters.writers import WRITERS

    now = settings.current()
    keys = {"openai": (now.openai_api_key, now.openai_base_url), "anthropic": (now.anthropic_api_key, now.anthropic_base_url)}
    return {name: WRITERS[name](key, url) for name, (key, url) in keys.items() if key is not None and key.get_secret_value()}


def paid_writers(available: "dict[str, Writer]", models: dict[str, str], preferred: str, brief_id: UUID, run_id: UUID) -> "PaidWriters":
    """Put budget, record, cache and fallback in front of the providers; the preferred one comes first."""
    from aquascene.adapters.catalog.plan import load_prices
    from aquascene.adapters.postgres.drafting import Budget
    from aquascene.adapters.writers.paid import PaidWriters, Terms
    from aquascene.drafting.ports import CallLimits

    now = settings.current().generation
    terms = Terms(
        models={"openai": now.openai_model, "anthropic": now.anthropic_model} | models,
        prices=load_prices(),
        budget=Budget(now.daily_budget_usd, now.run_budget_usd),
        limits=CallLimits(now.max_output_tokens, now.timeout_seconds),
        allow_sandbox=now.allow_sandbox,
    )
    order = sorted(available, key=lambda name: (name != preferred, name))
    return PaidWriters([available[name] for name in order], terms, brief_id, run_id)
