"""Registers the block types and seeds one document of each from the settings; never overwrites an operator's change.

A keyed fingerprint of what was seeded is kept as a Prefect variable: while the document still has it, newer settings
may replace it; once an operator changed the document, it is theirs.
"""

import hashlib
import hmac
import json
import logging
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


def seed(config: Settings | None = None) -> dict[str, Outcome]:
    """Seed every block type; returns what happened to each slug. Idempotent."""
    now = config or settings.current()
    return {str(block.get_block_type_slug()): _seed_one(block, now) for block in BLOCKS}


def _seed_one(block_class: Any, config: Settings) -> Outcome:
    block_class.register_type_and_schema()
    wanted = block_class.from_settings(config)
    if wanted is None:
        return "not-configured"
    slug = block_class.get_block_type_slug()
    variable = f"seeded_{slug.replace('-', '_')}"
    fingerprint = _fingerprint(wanted, config)
    present = _load(block_class)
    if present is not None:
        standing = _fingerprint(present, config)
        if standing == fingerprint:
            return "unchanged"
        if standing != Variable.get(variable):
            log.info("block_kept slug=%s", slug)
            return "kept"
    wanted.save(DOCUMENT, overwrite=True)
    Variable.set(variable, fingerprint, overwrite=True)
    log.info("block_seeded slug=%s", slug)
    return "seeded" if present is None else "updated"


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
