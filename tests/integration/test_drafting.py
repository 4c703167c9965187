"""Drafting through tasks, database, real SDKs and the sandbox: what is made, what is refused, what is paid."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

sys.path.insert(0, str(Path(__file__).parent))
from drafting_parts import ALPHA, BETA, Sandbox, add_brief, add_document, add_sources

from aquascene.adapters import drafting as bench
from aquascene.adapters import wiring
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.postgres.tables import brief, model_call
from aquascene.drafting.content_hash import content_sha256
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.model import Brief, Draft
from aquascene.drafting.text import normalise
from aquascene.errors import Conflict, TransientError
from aquascene.ids import new_id
from tasks import drafting as steps


@pytest.fixture
def sandbox(database: str, serve: Callable[[Any], str], configured: Callable[..., Any]) -> Sandbox:
    return Sandbox(serve, configured)


def draft(brief_id: UUID) -> Draft:
    draft_id = steps.draft_brief.fn(brief_id)
    assert draft_id is not None, look(brief_id)
    with transaction() as db:
        return store.get_draft(db, draft_id)


def look(brief_id: UUID) -> Brief:
    with transaction() as db:
        return store.get_brief(db, brief_id)


def calls() -> list[Any]:
    with transaction() as db:
        return list(db.execute(select(model_call).order_by(model_call.c.created_at)))


@pytest.mark.parametrize(("content_type", "provider"), [("guide", "openai"), ("digest", "anthropic")])
def test_every_content_type_drafts(sandbox: Sandbox, content_type: str, provider: str) -> None:
    documents = add_sources()
    made = draft(add_brief(content_type))
    assert (made.provider, made.model, made.sandbox, made.blocked, made.version, made.state) == (provider, "sandbox-extractive", True, False, 1, "proposed")
    assert made.title == "Growing a carpet of foreground plants"
    assert made.cost_usd > 0
    texts = {str(documents[0]): ALPHA, str(documents[1]): BETA}
    assert all(normalise(claim.quote) in normalise(texts[claim.document_id]) for claim in made.claims)
    assert len({claim.document_id for claim in made.claims}) == 2
    assert "<http://alpha.example/carpets>" in made.body_markdown
    assert made.content_sha256 == content_sha256(made.title, made.slug, made.body_markdown, made.claims)
    assert made.provenance["calls"][0]["provider"] == provider
    assert {source["cited"] for source in made.provenance["sources"]} == {True}
    assert look(made.brief_id).state == "drafted"


def test_hostile_instruction_in_a_source_is_ignored(sandbox: Sandbox) -> None:
    add_sources()
    made = draft(add_brief(keywords=["golden", "gravel", "fish", "carpet"]))
    assert "gravel" not in made.body_markdown
    assert sum(source["instruction_like_sentences_left_out"] for source in made.provenance["sources"]) == 1
    brief_bench = bench.prepare(made.brief_id)
    assert all("golden gravel" not in passage for source in brief_bench.evidence.sources for passage in source.passages)


@pytest.mark.parametrize("topic", ["Growing a carpet of foreground plants", "Repairing violin bows with horsehair"])
def test_no_evidence_means_no_call(sandbox: Sandbox, topic: str) -> None:
    if topic.startswith("Repairing"):
        add_sources()
    brief_id = add_brief(topic=topic, keywords=[])
    assert steps.draft_brief.fn(brief_id) is None
    assert (look(brief_id).state, look(brief_id).refusal) == ("refused", "no-evidence")
    assert (sandbox.calls, calls()) == ([], [])


@pytest.mark.parametrize("setting", ["GENERATION__DAILY_BUDGET_USD", "GENERATION__RUN_BUDGET_USD"])
def test_budget_stops_before_the_call(sandbox: Sandbox, configured: Callable[..., Any], setting: str) -> None:
    configured(**{setting: "0.001"})
    add_sources()
    brief_id = add_brief()
    assert steps.draft_brief.fn(brief_id) is None
    assert look(brief_id).refusal == "budget-exhausted"
    assert (sandbox.calls, calls()) == ([], [])
    with transaction() as db:
        assert store.startable_briefs(db, now()) == []
        db.execute(update(brief).values(updated_at=brief.c.updated_at - store.text("interval '1 day'")))
        assert store.startable_briefs(db, now()) == [brief_id]


def test_rerun_reuses_the_paid_call(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    add_sources()
    brief_id = add_brief()

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt  # as good as kill -9: nothing after the call is recorded

    with monkeypatch.context() as patch:
        patch.setattr(store, "insert_draft", die)
        with pytest.raises(KeyboardInterrupt):
            steps.draft_brief.fn(brief_id)
    assert look(brief_id).state == "drafting"
    made = draft(brief_id)
    assert len(sandbox.calls) == 1
    assert [float(row.cost_usd) for row in calls()] == [float(made.cost_usd)]


def test_reservation_of_a_dead_run_counts_as_spent(sandbox: Sandbox) -> None:
    add_sources()
    made = draft(add_brief())
    with transaction() as db:
        db.execute(update(model_call).values(outcome="pending", reserved_usd=0.5, cost_usd=0))
        assert float(store.spent_since(db, store.day_of(now()))) == 0.5
        db.execute(update(brief).values(state="requested"))
        db.execute(store.draft.delete())
    again = draft(made.brief_id)
    assert [float(row.cost_usd) for row in calls()] == [pytest.approx(0.5 + float(again.cost_usd), abs=1e-6)]


@pytest.mark.parametrize("fault", ["!invent", "!number"])
def test_invented_quote_and_changed_number_are_sent_back(sandbox: Sandbox, configured: Callable[..., Any], fault: str) -> None:
    configured(GENERATION__OPENAI_MODEL=f"gpt-5-mini{fault}")
    add_sources()
    made = draft(add_brief())
    assert [row.purpose for row in calls()] == ["draft", "revise"]
    assert "moon" not in made.body_markdown
    assert all(normalise(claim.quote) in normalise(ALPHA + " " + BETA) for claim in made.claims)
    assert not made.blocked
    assert float(made.cost_usd) == pytest.approx(sum(float(row.cost_usd) for row in calls()))


def test_invented_quote_without_patience_is_dropped_and_said(sandbox: Sandbox, configured: Callable[..., Any]) -> None:
    configured(GENERATION__OPENAI_MODEL="gpt-5-mini!invent", GENERATION__MAX_REVISIONS="0")
    add_sources()
    made = draft(add_brief())
    assert "moon" not in made.body_markdown + made.summary
    assert any(finding.check == "quote" and "left out" in finding.message for finding in made.findings)
    assert not made.blocked


@pytest.mark.parametrize(("fault", "refusal", "asked"), [("!badjson", "unsupported", 3), ("!length", "unsupported", 3), ("!refusal", "model-refused", 1)])
def test_answers_that_are_no_draft_refuse_the_brief(sandbox: Sandbox, configured: Callable[..., Any], fault: str, refusal: str, asked: int) -> None:
    configured(GENERATION__OPENAI_MODEL=f"gpt-5-mini{fault}")
    add_sources()
    brief_id = add_brief()
    assert steps.draft_brief.fn(brief_id) is None
    assert (look(brief_id).refusal, len(calls())) == (refusal, asked)


@pytest.mark.parametrize("fault", ["wrong key", "!400", "!down"])
def test_other_provider_takes_over(sandbox: Sandbox, configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    configured(**({"OPENAI_API_KEY": "wrong"} if fault == "wrong key" else {"GENERATION__OPENAI_MODEL": f"gpt-5-mini{fault}"}))
    monkeypatch.setattr("time.sleep", lambda _: None)
    add_sources()
    made = draft(add_brief())
    assert made.provider == "anthropic"
    assert [row.outcome for row in calls()] == ["failed", "completed"]
    assert float(calls()[0].cost_usd) == 0


def test_all_providers_away_gives_the_brief_back(sandbox: Sandbox, configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    configured(GENERATION__OPENAI_MODEL="gpt-5-mini!down", ANTHROPIC_API_KEY="")
    add_sources()
    brief_id = add_brief()
    with pytest.raises(TransientError):
        steps.draft_brief.fn(brief_id)
    assert look(brief_id).state == "requested"
    configured(GENERATION__OPENAI_MODEL="gpt-5-mini")
    assert draft(brief_id).version == 1


def test_sandbox_is_refused_where_real_models_are_wanted(sandbox: Sandbox, configured: Callable[..., Any]) -> None:
    configured(GENERATION__ALLOW_SANDBOX="false")
    add_sources()
    brief_id = add_brief()
    assert steps.draft_brief.fn(brief_id) is None
    assert look(brief_id).refusal == "sandbox-not-allowed"


def test_no_provider_refuses_the_brief(database: str) -> None:
    add_sources()
    brief_id = add_brief()
    assert steps.draft_brief.fn(brief_id) is None
    assert look(brief_id).refusal == "no-writer"


def test_revise_makes_version_two_and_supersedes_one(sandbox: Sandbox) -> None:
    add_sources()
    first = draft(add_brief())
    with transaction() as db:
        db.execute(update(brief).values(state="requested", instructions="Say more about temperature and melting crowns."))
    second = draft(first.brief_id)
    with transaction() as db:
        versions = store.drafts_of(db, first.brief_id)
        assert store.latest_draft(db, first.brief_id) == second
    assert [(version.version, version.state) for version in versions] == [(1, "superseded"), (2, "proposed")]
    assert second.slug == first.slug
    assert len(calls()) == 2


def test_two_runs_never_draft_one_brief_twice(sandbox: Sandbox) -> None:
    add_sources()
    brief_id = add_brief()
    with transaction() as db:
        db.execute(update(brief).values(state="drafting", flow_run_id=new_id(), lease_until_at=now() + steps.runs.lease()))
    assert steps.draft_brief.fn(brief_id) is None
    assert sandbox.calls == []
    with transaction() as db, pytest.raises(Conflict):
        store.insert_draft(db, brief_id, None, now(), run_id=new_id())  # type: ignore[arg-type]


def test_plan_is_made_once(sandbox: Sandbox) -> None:
    first, second = steps.plan_briefs.fn(), steps.plan_briefs.fn()
    assert first == second
    assert {look(brief_id).plan_key for brief_id in first} == {"planted-tank-start:once", "carpet-guide:once", "shrimp-and-algae:once"}
    assert {TYPES[look(brief_id).content_type].provider for brief_id in first} == {"openai", "anthropic"}


def test_same_topic_twice_gets_two_slugs(sandbox: Sandbox) -> None:
    add_sources()
    assert draft(add_brief()).slug != draft(add_brief()).slug


def test_unsafe_statement_of_a_source_is_not_printed(sandbox: Sandbox) -> None:
    add_sources()
    unsafe = "A carpet of foreground plants loves CO2 at 300 mg/L with strong light, and fish are happy. Keep the CO2 for a carpet at 25 mg/L in strong light."
    add_document(unsafe, "Carpet of foreground plants", "http://gamma.example/unsafe")
    made = draft(add_brief())
    assert "300" not in made.body_markdown
    assert not made.blocked


def test_paid_answer_of_the_other_provider_is_found_again(sandbox: Sandbox, configured: Callable[..., Any]) -> None:
    add_sources()
    configured(OPENAI_API_KEY="wrong")
    made = draft(add_brief())
    with transaction() as db:
        db.execute(update(brief).values(state="requested"))
        db.execute(store.draft.delete())
    configured(OPENAI_API_KEY="sandbox")
    again = draft(made.brief_id)
    assert again.provider == "anthropic"
    assert len(sandbox.calls) == 2
    assert wiring.writers().keys() == {"openai", "anthropic"}
