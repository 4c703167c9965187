"""The flow `generate` on a real Prefect server: accounts from blocks, artifacts, a provider that stays away."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from drafting_parts import Sandbox, add_brief, add_sources

from aquascene.adapters import settings
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.model import BriefRequest
from blocks.writers import AnthropicWriter, OpenAIWriter
from flows.generate import generate


@pytest.fixture
def sandbox(prefect_server: str, database: str, serve: Callable[[Any], str], configured: Callable[..., Any]) -> Sandbox:
    box = Sandbox(serve, configured)
    for kind in (OpenAIWriter, AnthropicWriter):
        block = kind.from_settings(settings.current())
        assert block is not None
        block.save("main", overwrite=True)
    configured(OPENAI_API_KEY="", ANTHROPIC_API_KEY="")  # what follows can only come from the blocks
    return box


def test_generate_drafts_planned_and_waiting_briefs(sandbox: Sandbox) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    add_sources()
    waiting = add_brief("digest")
    made = generate()
    assert len(made) == len(set(made)) >= 2
    with transaction() as db:
        assert store.get_brief(db, waiting).state == "drafted"
        drafts = [store.get_draft(db, draft_id) for draft_id in made]
        assert store.startable_briefs(db, store.get_brief(db, waiting).updated_at) == []
    assert {draft.provider for draft in drafts} == {"openai", "anthropic"}
    assert generate() == []
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(like_="draft-%")))
        assert {artifact.key for artifact in found} >= {f"draft-{draft.slug}" for draft in drafts}


def test_generate_stores_and_drafts_a_new_brief(sandbox: Sandbox) -> None:
    add_sources()
    made = generate(brief=BriefRequest(content_type="digest", topic="Light for carpet plants", keywords=["carpet", "light"]))
    with transaction() as db:
        assert store.get_draft(db, made[0]).title == "Light for carpet plants"


def test_generate_fails_when_all_providers_stay_away_and_keeps_what_was_made(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from aquascene.drafting.ports import WriterBusy
    from tasks import drafting

    add_sources()
    good, bad = add_brief("digest"), add_brief("guide")
    real = drafting._compose
    monkeypatch.setattr(drafting.draft_brief, "retries", 0)

    def failing(brief_id: Any) -> Any:
        if brief_id == bad:
            raise WriterBusy("away")
        return real(brief_id)

    monkeypatch.setattr(drafting, "_compose", failing)
    with pytest.raises(WriterBusy):
        generate(brief_ids=[good, bad])
    with transaction() as db:
        assert (store.get_brief(db, good).state, store.get_brief(db, bad).state) == ("drafted", "requested")
