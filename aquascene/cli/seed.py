"""The demo's subscribers: example people at reserved domains, imported by the same code as any file."""

from collections import Counter

from aquascene.adapters.catalog.files import locate
from aquascene.adapters.subscribing import import_csv


def seed_subscribers() -> str:
    """Import config/demo/subscribers.csv; repeatable. Returns a short account of what happened."""
    with locate("subscribers.csv").open(encoding="utf-8", newline="") as lines:
        counted = Counter(str(row.verdict) for row in import_csv(lines, "demo"))
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()))
