from dataclasses import replace

import pytest

from aquascene.drafting.content_hash import content_sha256
from aquascene.drafting.model import Claim

CLAIM = Claim(text="Keep it shallow.", document_id="d1", quote="keep it shallow", section="basics")
PARTS = {"title": "T", "slug": "t", "body_markdown": "body", "claims": [CLAIM], "image_hashes": ["i"]}


def test_hash_same_for_claims_and_their_json() -> None:
    assert content_sha256(**PARTS) == content_sha256(**{**PARTS, "claims": [CLAIM.to_json()]})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "U"},
        {"slug": "u"},
        {"body_markdown": "body "},
        {"claims": [replace(CLAIM, quote="other")]},
        {"claims": [CLAIM, CLAIM]},
        {"image_hashes": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_hash_differs_when_any_part_differs(changed: dict[str, object]) -> None:
    assert content_sha256(**PARTS) != content_sha256(**{**PARTS, **changed})  # type: ignore[arg-type]
