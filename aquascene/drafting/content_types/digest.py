"""A digest: what several sources say about one thing, short."""

from aquascene.drafting.content_types.base import ContentType, Limits, Section

TYPE = ContentType(
    key="digest",
    name="Digest",
    provider="anthropic",
    title_hint="{topic}",
    sections=(
        Section("main_points", "The main points", "what matters most, from different sources", least=3, most=6, style="list"),
        Section("details", "In more detail", "figures, ranges, conditions and reasons: because, range, between, degrees, depends", least=0, most=6),
        Section("cautions", "Take care", "risks, limits and exceptions: never, avoid, only, unless, toxic, too high, sensitive", least=0, most=4, style="list"),
    ),
    limits=Limits(min_statements=4, min_sources=2, min_words=60, max_words=900),
    checks=("lengths", "style", "seo", "copying", "facts"),
    template="{lead}\n\n{sections}\n\n## {references_heading}\n\n{references}\n{disclosure}",
    labels={"references_heading": "Sources"},
)
