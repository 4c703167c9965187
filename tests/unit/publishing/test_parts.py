"""Slugs, references, approvals, manifests and the preview."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from aquascene.drafting.content_hash import content_sha256
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.content_types.base import ContentType
from aquascene.drafting.evidence import Evidence, Source
from aquascene.drafting.model import Claim, Draft
from aquascene.drafting.render import Verified, render_body
from aquascene.ids import BriefId, DraftId
from aquascene.publishing.approval import Void, void_reason
from aquascene.publishing.manifest import Manifest
from aquascene.publishing.markdown import plain, render_markdown, safe_link
from aquascene.publishing.model import Approval, Reference, SitePage
from aquascene.publishing.preview import render_preview
from aquascene.publishing.references import article_text, numbered
from aquascene.publishing.slug import free_slug
from tests.publishing_making import BODY, a_reference

CLAIM = Claim("Light matters.", str(UUID(int=1)), "light matters", "lead", "S1")


def a_draft(**values: object) -> Draft:
    made = Draft(
        id=DraftId(UUID(int=1)),
        brief_id=BriefId(UUID(int=2)),
        version=3,
        state="approved",
        content_type="guide",
        title="Carpets",
        slug="carpets",
        summary="Short.",
        body_markdown=BODY,
        claims=(CLAIM,),
        findings=(),
        blocked=False,
        content_sha256=content_sha256("Carpets", "carpets", BODY, (CLAIM,)),
        provider="sandbox",
        model="sandbox-extractive",
        prompt_version="guide@1",
        sandbox=True,
        cost_usd=Decimal(0),
        provenance={
            "sources": [{"url": "https://one.example/carpets", "title": "Carpet <plants>", "retrieved_at": "2026-02-27T10:00:00+00:00", "cited": True}]
        },
    )
    return replace(made, **values)  # type: ignore[arg-type]


def an_approval(of: Draft, **values: str) -> Approval:
    return replace(Approval("approve", of.content_sha256, "erika", datetime(2026, 3, 1, tzinfo=UTC)), **values)  # type: ignore[arg-type]


def test_slugs_are_plain_and_free() -> None:
    assert free_slug("Über CO₂ & Light!", set()) == "uber-co2-light"
    assert free_slug("a", {"a", "a-2"}) == "a-3"
    assert free_slug("???", set()) == "draft"
    assert len(free_slug("word " * 100, set())) <= 80


def test_an_approval_holds_for_exactly_the_text() -> None:
    approved = a_draft()
    assert void_reason(approved, an_approval(approved)) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": "superseded"}, Void.SUPERSEDED),
        ({"state": "in_review"}, Void.NOT_APPROVED),
        ({"blocked": True}, Void.BLOCKED),
        ({"body_markdown": BODY + "!"}, Void.CHANGED),
        ({"title": "Carpets!"}, Void.CHANGED),
        ({"slug": "other"}, Void.CHANGED),
        ({"claims": ()}, Void.CHANGED),
        ({"image_hashes": ("ab",)}, Void.CHANGED),
        ({"content_sha256": "0" * 64}, Void.CHANGED),
    ],
)
def test_any_change_voids_an_approval(changed: dict[str, object], reason: Void) -> None:
    assert void_reason(a_draft(**changed), an_approval(a_draft())) is reason


def test_a_verdict_that_is_no_approval_is_none() -> None:
    approved = a_draft()
    assert void_reason(approved, None) is Void.NOT_APPROVED
    assert void_reason(approved, an_approval(approved, decision="revise")) is Void.NOT_APPROVED
    assert void_reason(approved, an_approval(approved, content_sha256="0" * 64)) is Void.CHANGED


def test_references_take_the_numbers_of_the_text() -> None:
    documents = [a_reference(2, number=0), a_reference(1, number=0)]
    assert [(one.number, one.title) for one in numbered(BODY, documents)] == [(1, "Carpet plants"), (2, "Carbon dioxide")]


def test_references_without_a_place_in_the_text_come_after() -> None:
    extra = Reference(0, "d3", "https://three.example/", "Three")
    assert [(one.number, one.title) for one in numbered(BODY, [extra, a_reference(1), a_reference(2)])][-1] == (3, "Three")


def test_a_link_target_of_an_editor_is_a_reference_without_a_document() -> None:
    text = "New [[7]][source-7].\n\n[source-7]: <https://new.example/a>\n"
    assert numbered(text, []) == (Reference(7, "", "https://new.example/a", ""),)


def test_two_documents_with_one_address_keep_their_order() -> None:
    text = "[source-1]: <https://a.example/>\n[source-2]: <https://a.example/>\n"
    found = numbered(text, [Reference(0, "old", "https://a.example/", "Old"), Reference(0, "new", "https://a.example/", "New")])
    assert [(one.number, one.document_id) for one in found] == [(1, "old"), (2, "new")]


def test_apparatus_is_cut_only_when_it_is_nothing_else() -> None:
    assert article_text(BODY).endswith("Trim every week.")
    own = "A [[1]][source-1].\n\n## Sources\n\nSources of light are lamps.\n\n## Sources\n\n1. [A](<https://a.example>), read.\n\n*Note.*\n"
    assert article_text(own) == "A [1].\n\n## Sources\n\nSources of light are lamps."


def test_unknown_numbers_stay_text_and_escaped_brackets_too() -> None:
    html = render_markdown("Known [1], unknown [9], list [1, 2], range \\[1\\].", {1, 2}).html
    assert html.count('href="#ref-1"') == 2
    assert "range [1]." in html
    assert "[9]" in html
    assert 'href="#ref-2"' in html


def test_headings_are_demoted_and_have_ids_of_their_own() -> None:
    made = render_markdown("# One\n\n## One\n\n###### Deep\n")
    assert "<h1" not in made.html
    assert made.headings[0] == ("s-one", "One")
    assert made.headings[1][0] != "s-one"
    assert '<h4 id="s-deep">' in made.html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "https://[bad", "", "ftp://host/x"])
def test_only_web_addresses_are_links(url: str) -> None:
    assert safe_link(url) is None


def test_plain_text_is_cut_at_a_word() -> None:
    assert plain("a \\*b\\* \\[1\\] 2 \\> 1") == "a *b* [1] 2 > 1"
    assert plain("One *two* [1] three") == "One two three"
    assert plain("word " * 100, 20) == "word word word word…"


def test_a_manifest_survives_its_bytes_and_names_changes() -> None:
    one = Manifest.of([SitePage("/", b"a", "text/html"), SitePage("/gone/", b"x", "text/html", 410)])
    two = Manifest.of([SitePage("/", b"b", "text/html"), SitePage("/new/", b"y", "text/html")])
    assert Manifest.from_bytes(one.to_bytes()) == one
    assert Manifest.from_bytes(one.to_bytes()).sha256 == one.sha256
    assert (two.changed_since(one), two.removed_since(one)) == (("/", "/new/"), ("/gone/",))
    assert one.changed_since(None) == ("/", "/gone/")


def test_preview_is_the_page_with_a_mark() -> None:
    html = render_preview(a_draft(title="<script>x</script>"))
    assert "Preview of version 3" in html
    assert "&lt;script&gt;x" in html
    assert "Carpet &lt;plants&gt;" in html
    assert 'href="#ref-1"' in html
    assert "provenance.json" not in html
    assert "<form" not in html
    assert "Written by the extractive sandbox" in html


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("sandbox", [False, True])
def test_bodies_as_drafting_writes_them_are_understood(kind: ContentType, sandbox: bool) -> None:
    sources = tuple(
        Source(f"S{n}", UUID(int=n), f"https://{n}.example/a b", f"Title *{n}* [x]", "", "one", datetime(2026, 3, 1, tzinfo=UTC), "ab", "CC BY 4.0", ())
        for n in (1, 2)
    )
    lead = Verified("plants [1] need *light*", "S2", "q")
    parts = {section.key: [Verified(f"Statement about {section.key}", "S1", "q")] for section in kind.sections}
    body = render_body(kind, lead, parts, Evidence(sources), sandbox)
    documents = [Reference(0, str(one.document_id), one.url, one.title) for one in sources]
    found = numbered(body, documents)
    assert [(one.number, one.document_id) for one in found] == [(1, str(UUID(int=2))), (2, str(UUID(int=1)))]
    text = article_text(body)
    assert "Licence" not in text
    assert "source-" not in text
    assert "sandbox" not in text
    rendered = render_markdown(text, {1, 2})
    assert rendered.citations == {1: 1, 2: len(kind.sections)}
    assert "Plants [1] need *light*." in rendered.html
    assert [words for _, words in rendered.headings] == [section.heading for section in kind.sections]
