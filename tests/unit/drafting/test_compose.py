"""Composing with a scripted port: what the loop asks, drops and prints."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from aquascene.drafting.compose import Composed, Refused, Workshop, compose
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.evidence import Evidence, Source
from aquascene.drafting.knowledge import Knowledge
from aquascene.drafting.model import Brief, Refusal
from aquascene.drafting.plan import Cadence, StandingBrief, plan_key
from aquascene.drafting.ports import Answered, Completion, Stop, Usage, WriterRequest
from aquascene.drafting.prices import Price, PriceList
from aquascene.drafting.prompt import Marks, Prompt, build_request
from aquascene.ids import BriefId

LINES = [
    "Alpha plants like soft water in spring.",
    "Beta plants like hard water in winter.",
    "Gamma plants like warm water in summer.",
    "Delta plants like cool streams.",
]
SOURCE = Source(
    "S1", UUID(int=1), "http://a.example/x y", "A [title]", " ".join(LINES), "a", datetime(2026, 11, 1, tzinfo=UTC), "0" * 64, "CC BY", tuple(LINES)
)
BRIEF = Brief(BriefId(UUID(int=9)), "digest", "Water for plants", "", ("water",), "{{canary}} please", "test", "drafting")
SHOP = Workshop(
    TYPES["digest"],
    Prompt("digest", "v1", "{{nonce}} {{canary}}", "{{request}} {{sections}} {{instructions}} {{evidence}}"),
    Knowledge(),
    Marks("n0nce", "c4nary"),
    2,
)


def statement(text: str, quote: str | None = None) -> dict[str, str]:
    return {"text": text, "source_id": "S1", "quote": quote or text}


def answer(*points: dict[str, str], title: str = "Water for plants, in short") -> dict[str, Any]:
    return {"title": title, "lead": statement(LINES[0]), "main_points": list(points), "details": [], "cautions": []}


class Script:
    """A port that gives prepared answers."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.requests = list(answers), list[WriterRequest]()

    def __call__(self, request: WriterRequest, schema: type[BaseModel], purpose: str) -> Answered:
        self.requests.append(request)
        given = self.answers.pop(0)
        stop = given if isinstance(given, Stop) else Stop.DONE
        parsed = None if isinstance(given, Stop) else schema.model_validate(given)
        return Answered(Completion(parsed, {}, Usage(10, 10), stop, str(given), "openai", "real-model"), 0.01, "call", reused=False)


GOOD = [statement(line) for line in LINES[1:]]
INVENTED = statement("Omega plants like no water at all.")


def run(*answers: Any) -> tuple[Composed | Refused, Script]:
    script = Script(*answers)
    return compose(BRIEF, Evidence((SOURCE,)), SHOP, script), script


def test_no_evidence_no_call() -> None:
    script = Script()
    assert compose(BRIEF, Evidence(), SHOP, script) == Refused(Refusal.NO_EVIDENCE, "no stored document speaks of the topic")
    assert script.requests == []


def test_good_answer_is_printed_with_code_made_references() -> None:
    made, script = run(answer(*GOOD))
    assert isinstance(made, Composed)
    assert len(script.requests) == 1
    assert made.body_markdown.startswith("Alpha plants like soft water in spring. [[1]][source-1]\n\n## The main points\n\n- Beta plants")
    assert "1. [A \\[title\\]](<http://a.example/x%20y>), read on 2026-11-01. Licence: CC BY." in made.body_markdown
    assert made.body_markdown.endswith("[source-1]: <http://a.example/x%20y>\n")
    assert [claim.document_id for claim in made.claims] == [str(UUID(int=1))] * 4
    assert not made.sandbox
    assert "sandbox" not in made.body_markdown


def test_invented_quote_is_sent_back_once_and_mended() -> None:
    made, script = run(answer(*GOOD, INVENTED), answer(*GOOD))
    assert isinstance(made, Composed)
    assert len(script.requests) == 2
    assert "does not stand in the source" in script.requests[1].turns[-1].text
    assert made.cost_usd == pytest.approx(0.02)
    assert not any(finding.check == "quote" for finding in made.findings)


def test_stubborn_invention_is_dropped_and_told() -> None:
    made, script = run(*[answer(*GOOD, INVENTED)] * 3)
    assert isinstance(made, Composed)
    assert len(script.requests) == 3
    assert "Omega" not in made.body_markdown
    assert [finding.span for finding in made.findings if finding.check == "quote"] == [INVENTED["text"]]


def test_too_little_left_is_refused() -> None:
    made, _ = run(*[answer(INVENTED, INVENTED)] * 3)
    assert isinstance(made, Refused)
    assert (made.reason, made.cost_usd) == (Refusal.UNSUPPORTED, pytest.approx(0.03))


@pytest.mark.parametrize("leak", ["c4nary", "n0nce"])
def test_leaked_marks_refuse_the_answer(leak: str) -> None:
    made, _ = run(*[answer(*GOOD, title=f"Water {leak}")] * 3)
    assert isinstance(made, Refused)


def test_title_with_an_unsupported_number_is_made_from_the_topic() -> None:
    made, _ = run(answer(*GOOD, title="7 secrets of water for plants"))
    assert isinstance(made, Composed)
    assert made.title == "Water for plants"


def test_repeated_statements_are_printed_once() -> None:
    made, _ = run(answer(*GOOD, GOOD[0], statement(LINES[0])))
    assert isinstance(made, Composed)
    assert made.body_markdown.count("Beta plants") == 1
    assert made.body_markdown.count("Alpha plants") == 1


def test_refusal_of_the_model_ends_at_once() -> None:
    made, script = run(Stop.REFUSED)
    assert isinstance(made, Refused)
    assert (made.reason, len(script.requests)) == (Refusal.MODEL_REFUSED, 1)


def test_text_put_into_a_prompt_is_no_template() -> None:
    request = build_request(SHOP.prompt, BRIEF, SHOP.content_type, Evidence((SOURCE,)), SHOP.marks)
    assert "c4nary" not in request.turns[0].text
    assert '<source-n0nce id="S1" title="A [title]">' in request.turns[0].text


@pytest.mark.parametrize(
    ("cadence", "at", "key"),
    [
        (Cadence.ONCE, datetime(2026, 11, 23, tzinfo=UTC), "k:once"),
        (Cadence.WEEKLY, datetime(2026, 11, 23, tzinfo=UTC), "k:2026-W48"),
        (Cadence.WEEKLY, datetime(2027, 1, 1, tzinfo=UTC), "k:2026-W53"),
        (Cadence.MONTHLY, datetime(2026, 11, 30, 23, 30, tzinfo=UTC), "k:2026-12"),
    ],
)
def test_plan_key_follows_the_publications_calendar(cadence: Cadence, at: datetime, key: str) -> None:
    from aquascene.drafting.model import BriefRequest

    assert plan_key(StandingBrief("k", cadence, BriefRequest(content_type="guide", topic="abc")), at, "Europe/Berlin") == key


@pytest.mark.parametrize(("model", "price"), [("m-1", 1.0), ("m-1-2026-03-01", 1.0), ("m-1!429", 1.0), ("m-1-mini", 9.0), ("unheard-of", 9.0)])
def test_unlisted_models_cost_the_most(model: str, price: float) -> None:
    assert PriceList({"m-1": Price(1.0, 1.0), "big": Price(9.0, 9.0)}).price(model).input_usd == price
