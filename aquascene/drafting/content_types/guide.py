"""A guide: how to do one thing, in the order in which a reader does it."""

from aquascene.drafting.content_types.base import ContentType, Limits, Section

TYPE = ContentType(
    key="guide",
    name="Guide",
    provider="openai",
    title_hint="{topic}",
    sections=(
        Section("overview", "What to know first", "why it matters, what it is, what decides success", least=1, most=4),
        Section("preparation", "Before you start", "what to choose, buy, measure or prepare; what you need before", least=1, most=5),
        Section("steps", "How to do it", "what to do and in which order: first, then, start, place, set, add, increase, keep", least=2, most=7, style="list"),
        Section("problems", "What goes wrong", "mistakes, symptoms and causes: avoid, never, too much, too little, problem, risk", least=0, most=5),
        Section("upkeep", "Keeping it going", "care afterwards: every week, weekly, regular, later, growth, weeks, months", least=0, most=4),
    ),
    limits=Limits(min_statements=5, min_sources=2, min_words=90, max_words=1500),
    checks=("lengths", "style", "seo", "copying", "facts"),
    template="{lead}\n\n{sections}\n\n## {references_heading}\n\n{references}\n{disclosure}",
    labels={"references_heading": "Sources"},
)
