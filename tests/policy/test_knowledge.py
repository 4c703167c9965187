"""The knowledge base keeps its form: ids, intervals, names, sources; and the sample publication agrees with it."""

import re
from collections import defaultdict
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
import yaml

from aquascene.adapters.catalog.knowledge import load_knowledge
from aquascene.adapters.resources import config_dir
from aquascene.adapters.settings import Settings
from aquascene.drafting.knowledge import judge
from aquascene.drafting.text import sentences
from aquascene.sandbox.publication_articles import articles

FIELDS = {"id", "subject", "aliases", "attribute", "kind", "value", "optimum", "tolerated", "unit", "severity", "confidence", "sources", "note", "disagreement"}
FILES = ["animals.yaml", "plants.yaml", "technique.yaml", "water.yaml"]
SCALES = {
    "light": ["low", "medium", "high"],
    "co2": ["not needed", "optional", "helpful", "recommended", "required"],
    "difficulty": ["easy", "medium", "advanced"],
    "growth": ["very slow", "slow", "medium", "fast", "very fast"],
}


def _facts() -> list[dict[str, Any]]:
    return [fact for name in FILES for fact in yaml.safe_load((config_dir() / "knowledge" / name).read_text(encoding="utf-8"))["facts"]]


def test_every_file_is_read_and_ids_are_unique() -> None:
    assert sorted(path.name for path in (config_dir() / "knowledge").glob("*.yaml")) == FILES
    ids = [fact["id"] for fact in _facts()]
    assert len(ids) == len(set(ids)) >= 150


def test_facts_have_their_fields() -> None:
    for fact in _facts():
        assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", fact["id"]), fact["id"]
        assert set(fact) <= FIELDS, fact["id"]
        assert fact["kind"] in {"interval", "ordinal", "boolean", "set", "formula", "text"}, fact["id"]
        assert fact["severity"] in {"safety", "husbandry", "taste"}, fact["id"]
        assert any(fact.get(name) is not None for name in ("value", "optimum", "tolerated")), fact["id"]
        assert fact["kind"] != "interval" or fact["unit"], fact["id"]


def test_values_are_ordered_and_optimum_lies_within_tolerated() -> None:
    for fact in _facts():
        if fact["kind"] not in {"interval", "ordinal"}:
            continue
        tolerated = _ends(fact, "tolerated")
        optimum = _ends(fact, "optimum") if "optimum" in fact else tolerated
        assert tolerated[0] <= optimum[0] <= optimum[1] <= tolerated[1], fact["id"]


def _ends(fact: dict[str, Any], name: str) -> tuple[float, float]:
    low, high = fact.get(name) or fact["optimum"]
    if fact["kind"] == "ordinal":
        scale = SCALES[fact["attribute"]]
        return scale.index(low), scale.index(high)
    return -inf if low is None else low, inf if high is None else high


def test_confidence_follows_from_the_sources() -> None:
    for fact in _facts():
        addresses = [source["url"] for source in fact["sources"] if "url" in source]
        assert fact["sources"], fact["id"]
        assert all(source["citation"] for source in fact["sources"]), fact["id"]
        assert all(address.startswith(("https://", "http://")) for address in addresses), fact["id"]
        if fact["confidence"] == "high":
            assert addresses, fact["id"]
            assert "disagreement" not in fact, fact["id"]
        if "no citation yet" in fact["sources"][0]["citation"]:
            assert fact["confidence"] == "low", fact["id"]


def test_no_name_belongs_to_two_subjects() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for fact in _facts():
        for name in (fact["subject"], *fact["aliases"]):
            owners[name.lower()].add(fact["subject"])
    assert {name: subjects for name, subjects in owners.items() if len(subjects) > 1} == {}


def test_sample_publication_contradicts_no_fact(configured: Callable[..., Settings]) -> None:
    configured()
    knowledge = load_knowledge()
    found = [(article.slug, verdict) for article in articles().values() for text in sentences(article.body) for verdict in judge(text, knowledge)]
    assert [(slug, verdict.span, verdict.message) for slug, verdict in found if verdict.verdict == "contradicted"] == []
    assert sum(verdict.verdict == "supported" for _, verdict in found) >= 50


@pytest.mark.parametrize(
    "sentence",
    [
        "300 ppm CO2 is harmless to fish.",
        "Caridina cantonensis is kept at 28 °C.",
        "Anubias nana does best at a pH of 4.5.",
        "Rinse active soil before use.",
        "Hemianthus callitrichoides is an easy plant.",
    ],
)
def test_wrong_sentence_is_contradicted(configured: Callable[..., Settings], sentence: str) -> None:
    configured()
    assert "contradicted" in [str(verdict.verdict) for verdict in judge(sentence, load_knowledge())]
