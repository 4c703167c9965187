"""The one hash that binds an approval to what was approved."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aquascene.drafting.model import Claim

_CLAIM_FIELDS = ("text", "document_id", "quote", "section")


def content_sha256(title: str, slug: str, body_markdown: str, claims: Sequence[Claim | Mapping[str, Any]], image_hashes: Sequence[str] = ()) -> str:
    """Hash what an editor decides upon: SHA-256 of the canonical JSON of all five parts, as hex.

    Claims count by text, document, quote and section, so that a field added later voids no approval.
    """
    content = {
        "title": title,
        "slug": slug,
        "body_markdown": body_markdown,
        "claims": [_claim(claim) for claim in claims],
        "image_hashes": list(image_hashes),
    }
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _claim(claim: Claim | Mapping[str, Any]) -> dict[str, str]:
    value = claim.to_json() if isinstance(claim, Claim) else claim
    return {name: str(value[name]) for name in _CLAIM_FIELDS}
