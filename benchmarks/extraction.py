"""Score article extraction on a folder of saved pages: `python benchmarks/extraction.py --data DIR`.

DIR holds `ground-truth.json` (id -> {"articleBody", "url"}) and `html/<id>.html.gz`, as in the public article extraction
benchmark of scrapinghub. Nothing of it belongs into this repository.

The metric is that benchmark's: word four-grams as multisets; precision and recall are means over pages (a page without
output counts for recall only), F1 is their harmonic mean. The interval is a bootstrap over pages.
"""

import argparse
import gzip
import json
import random
import re
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from aquascene.sources.extract import extract_document
from aquascene.sources.version import EXTRACTOR


@dataclass(frozen=True)
class Score:
    """How one page was extracted; precision is None where nothing was."""

    page: str
    precision: float | None
    recall: float
    seconds: float


def runs(text: str) -> Counter[tuple[str, ...]]:
    """Four-word runs with their counts; a shorter text is one run."""
    words = re.findall(r"\w+", text)
    length = min(4, len(words))
    return Counter(tuple(words[at : at + length]) for at in range(len(words) - length + 1)) if words else Counter()


def score(page: str, wanted: str, found: str, seconds: float) -> Score:
    """Compare one page's text with its true body."""
    true, got = runs(wanted), runs(found)
    hits = (true & got).total()
    return Score(page, hits / got.total() if got else None, hits / true.total() if true else 1.0, seconds)


def summary(scores: list[Score]) -> tuple[float, float, float]:
    """F1, precision and recall over pages."""
    precision = statistics.fmean([one.precision for one in scores if one.precision is not None] or [0.0])
    recall = statistics.fmean(one.recall for one in scores)
    return (2 * precision * recall / (precision + recall) if precision + recall else 0.0), precision, recall


def interval(scores: list[Score], rounds: int = 1000) -> tuple[float, float]:
    """95 % interval of F1 by resampling pages; the seed is fixed so that runs compare."""
    chance = random.Random(1)  # noqa: S311 - no secret
    drawn = sorted(summary(chance.choices(scores, k=len(scores)))[0] for _ in range(rounds))
    return drawn[int(rounds * 0.025)], drawn[int(rounds * 0.975)]


def measure(folder: Path) -> list[Score]:
    """Extract and score every page of the folder."""
    scores = []
    for page, truth in json.loads((folder / "ground-truth.json").read_text(encoding="utf-8")).items():
        body = gzip.decompress((folder / "html" / f"{page}.html.gz").read_bytes())
        start = time.process_time()
        found = extract_document(body, truth["url"])
        scores.append(score(page, truth["articleBody"], found.text if found else "", time.process_time() - start))
    return scores


def main() -> int:
    """Print the figures; exit 2 where there is no data, 1 where F1 is below the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ground-truth.json and html/")
    parser.add_argument("--floor", type=float, default=0.965, help="exit 1 where F1 is lower")
    parser.add_argument("--worst", type=int, default=0, help="also list the pages with the lowest recall and precision")
    options = parser.parse_args()
    if not (options.data / "ground-truth.json").is_file():
        print(f"no benchmark data: {options.data} has no ground-truth.json; give the folder of the article extraction benchmark with --data", file=sys.stderr)
        return 2
    scores = measure(options.data)
    f1, precision, recall = summary(scores)
    low, high = interval(scores)
    times = sorted(one.seconds for one in scores)
    print(f"extractor {EXTRACTOR}")
    print(f"pages {len(scores)}, without output {sum(one.precision is None for one in scores)}")
    print(f"F1 {f1:.4f} (95 % interval {low:.4f} to {high:.4f}), precision {precision:.4f}, recall {recall:.4f}")
    print(f"CPU time per page: mean {statistics.fmean(times) * 1000:.0f} ms, median {times[len(times) // 2] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms")
    for one in sorted(scores, key=lambda each: each.recall + (each.precision or 0.0))[: options.worst]:
        print(f"  {one.page} precision {one.precision or 0:.2f} recall {one.recall:.2f}")
    return 0 if f1 >= options.floor else 1


if __name__ == "__main__":
    sys.exit(main())
