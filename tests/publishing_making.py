"""Articles for the tests of publishing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from aquascene.drafting.model import Claim, Finding, FindingVerdict, Severity
from aquascene.ids import ArticleId, DraftId
from aquascene.publishing.model import Approval, Article, Reference, Site, SiteContent, Tombstone

SITE = Site("AquaScene", "Planted aquariums, from sources you can check.", "https://site.example", "Europe/Berlin", "en")
T0 = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)

BODY = """A dense carpet needs light at the bottom of the tank [[1]][source-1].

## What to know first

Carbon dioxide speeds growth *considerably* [[2]][source-2]. Start low and add over weeks [[1]][source-1].

## How to do it

- Plant small portions two centimetres apart [[1]][source-1].
- Keep the drop checker green [[2]][source-2].

| Plant | Light |
| --- | --- |
| Monte Carlo | medium |

## Keeping it going

Trim every week.

## Sources

1. [Carpet plants](<https://one.example/carpets>), read on 2026-02-27. Licence: CC BY 4.0.
2. [Carbon dioxide](<https://two.example/co2>), read on 2026-02-28.

[source-1]: <https://one.example/carpets>
[source-2]: <https://two.example/co2>
"""


def a_reference(which: int, **values: Any) -> Reference:
    urls = {1: "https://one.example/carpets", 2: "https://two.example/co2"}
    titles = {1: "Carpet plants", 2: "Carbon dioxide"}
    base = Reference(which, str(UUID(int=which)), urls[which], titles[which], "A. Writer", "CC BY 4.0", T0, T0 - timedelta(days=2), "ab" * 32)
    return replace(base, **values)


def an_article(number: int = 1, **values: Any) -> Article:
    made = Article(
        id=ArticleId(UUID(int=1000 + number)),
        draft_id=DraftId(UUID(int=2000 + number)),
        version=1,
        slug=f"article-{number}",
        content_type="guide" if number % 2 else "digest",
        title=f"How to grow a dense carpet, part {number}",
        summary="What light, nutrients and patience do for a carpet of small plants.",
        body_markdown=BODY,
        content_sha256="cd" * 32,
        claims=(Claim("A dense carpet needs light at the bottom of the tank.", str(UUID(int=1)), "needs light", "lead"),),
        findings=(Finding("seo", Severity.WARNING, FindingVerdict.FAILED, "The title is long."),),
        references=(a_reference(1), a_reference(2)),
        keywords=("carpet plants", "CO2"),
        provider="openai",
        model="gpt-5-mini",
        prompt_version="guide@1",
        sandbox=False,
        cost_usd=Decimal("0.012300"),
        approval=Approval("approve", "cd" * 32, "erika", T0 - timedelta(hours=1)),
        published_at=T0 + timedelta(days=number),
        provenance={"calls": []},
    )
    return replace(made, **values)


def a_tombstone() -> Tombstone:
    return Tombstone(ArticleId(UUID(int=3000)), "gone", "An article that was wrong", "The source had been misread.", T0)


def a_content(count: int = 3) -> SiteContent:
    return SiteContent(tuple(an_article(number) for number in range(1, count + 1)), (a_tombstone(),))
