"""Registers the block types and seeds one document of each from the settings; never overwrites an operator's change.

A keyed fingerprint of what was seeded is kept as a Prefect variable: while the document still has it, newer settings
may replace it; once an operator changed the document, it is theirs.
"""

import hashlib
import hmac
import json
import logging
from dataclasses import dataclass
from typing import Any, Literal

from prefect.blocks.core import Block
from prefect.variables import Variable

from aquascene.adapters import settings
from aquascene.adapters.settings import Settings
from blocks.mailers import SendGridMailer
from blocks.storage import ObjectStoreBlock
from blocks.writers import AnthropicWriter, OpenAIWriter

log = logging.getLogger(__name__)
BLOCKS: tuple[type[Block], ...] = (OpenAIWriter, AnthropicWriter, SendGridMailer, ObjectStoreBlock)
DOCUMENT = "main"
Outcome = Literal["seeded", "updated", "unchanged", "kept", "not-configured"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a seeding would do to one document."""

    outcome: Outcome
    wanted: Block | None = None
    fingerprint: str = ""


def seed(config: Settings | None = None) -> dict[str, Outcome]:
    """Seed every block type; returns what happened to each slug. Idempotent."""
    now = config or settings.current()
    return {slug_of(block): seed_one(block, now) for block in BLOCKS}


def seed_one(block_class: type[Block], config: Settings) -> Outcome:
    """Register one type and seed its document."""
    block_class.register_type_and_schema()
    decision = decide(block_class, config)
    slug = slug_of(block_class)
    if decision.wanted is not None and decision.outcome in {"seeded", "updated"}:
        decision.wanted.save(DOCUMENT, overwrite=True)
        Variable.set(_variable(slug), decision.fingerprint, overwrite=True)
    if decision.outcome in {"seeded", "updated", "kept"}:
        log.info("block_%s slug=%s", decision.outcome, slug)
    return decision.outcome


def decide(block_class: Any, config: Settings) -> Decision:
    """Tell what seeding one document would do; changes nothing."""
    wanted = block_class.from_settings(config)
    if wanted is None:
        return Decision("not-configured")
    fingerprint = _fingerprint(wanted, config)
    present = _load(block_class)
    if present is None:
        return Decision("seeded", wanted, fingerprint)
    standing = _fingerprint(present, config)
    if standing == fingerprint:
        return Decision("unchanged")
    if standing != Variable.get(_variable(slug_of(block_class))):
        return Decision("kept")
    return Decision("updated", wanted, fingerprint)


def slug_of(block_class: type[Block]) -> str:
    """Name a block type as Prefect's addresses do."""
    return str(block_class.get_block_type_slug())


def _variable(slug: str) -> str:
    return f"seeded_{slug.replace('-', '_')}"


def _load(block_class: Any) -> Block | None:
    try:
        loaded: Block = block_class.load(DOCUMENT)
    except ValueError:  # Prefect's answer for a document that is not there
        return None
    return loaded


def _fingerprint(block: Block, config: Settings) -> str:
    """A keyed hash of the fields: it tells whether they changed and nothing about what they are."""
    fields = {name: _plain(getattr(block, name)) for name in sorted(type(block).model_fields) if not name.startswith("_")}
    key = config.jwt_secret.get_secret_value().encode() or b"unset"
    return hmac.new(key, json.dumps(fields, sort_keys=True, default=str).encode(), hashlib.sha256).hexdigest()


def _plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value
