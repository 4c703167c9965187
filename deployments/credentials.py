"""Block types and the documents that are seeded from the settings; a document that an operator changed is theirs."""

from collections.abc import Iterator
from functools import partial

from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound

from blocks.seed import BLOCKS, DOCUMENT, decide, seed_one, slug_of
from deployments.changes import Change, Context


def plan_blocks(context: Context) -> Iterator[Change]:
    """Compare block types and documents with the settings; never shows a value."""
    for block in BLOCKS:
        decision, run, slug = decide(block, context.config), partial(seed_one, block, context.config), slug_of(block)
        match decision.outcome:
            case "seeded":
                yield Change("create", "block", f"{slug}/{DOCUMENT}", ("from the settings",), run)
            case "updated":
                yield Change("update", "block", f"{slug}/{DOCUMENT}", ("the settings changed",), run)
            case "kept":
                yield Change("keep", "block", f"{slug}/{DOCUMENT}", ("changed by an operator",))
        if decision.outcome not in {"seeded", "updated"} and not _is_registered(context, block):
            yield Change("create", "block type", slug, (), run)


def _is_registered(context: Context, block: type[Block]) -> bool:
    """Tell whether the server knows the type in this very form."""
    try:
        context.client.read_block_type_by_slug(slug_of(block))
        context.client.read_block_schema_by_checksum(block._calculate_schema_checksum())
    except ObjectNotFound:
        return False
    return True
