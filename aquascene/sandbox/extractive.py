"""A writer without a model: it fills the caller's JSON schema with sentences of the sources in the prompt, word for word.

Deterministic: the same request gives the same answer. It knows nothing of the product; it reads what any model reads
(sources between tags, one line of JSON with the request, the schema's descriptions) and says openly what it is.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

_SOURCE = re.compile(
    r'<source(?P<fence>-[\w-]+)?\s+id="(?P<id>[^"]+)"[^>]*>\n?(?P<text>.*?)\n?</source(?P=fence)>|<source\s+id="(?P<id2>[^"]+)"[^>]*>(?P<text2>.*?)</source>',
    re.DOTALL,
)
_REQUEST = re.compile(r"^Request:\s*(\{.*\})\s*$", re.MULTILINE)
_SPLIT = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])|\n+")
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instructions?|above|previous|rules)\b|\bsystem prompt\b|\blanguage model\b|\bas an ai\b"
    r"|\bai (?:assistant|model)s?\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"^(?:This|That|These|Those|It|They|He|She|But|And|So|Or|Yet|However|Otherwise|Instead|Also|Then|Here|There|Such|Both|Its|Their|Like that|Even so)\b"
)
_LEANING = re.compile(r"\b(?:it|its|they|them|their|this|these|those|he|she|there|such|same|other|another|else|former|latter|ones?)\b", re.IGNORECASE)
_PLACED = re.compile(r"\b(?:there|here|then|today|yesterday|on the (?:left|right)|side|week|we|our|my|I)\b")
_COUNT = re.compile(r"(\d+) to (\d+) statements")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9'-]+|\d+(?:\.\d+)?")
_COMMON_WORDS = """
the and for with that this from into are was were has have you your what which when where not but its can may will one two how our out who them they of in to
on at by as is it or an be a
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Sentence:
    """A sentence of a source with its place."""

    source_id: str
    place: int
    text: str
    stems: frozenset[str]
    doubt: float


@dataclass
class Filler:
    """Fills one schema from one prompt; every sentence is used once."""

    pool: list[Sentence]
    wanted: dict[str, float]
    topic: str
    used: dict[str, int] = field(default_factory=dict)

    def fill(self, schema: dict[str, Any], name: str, root: dict[str, Any]) -> Any:
        """Make a value of a schema; `name` is the property that holds it."""
        schema = _resolve(schema, root)
        if "enum" in schema or "const" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, name, root)
        if kind == "array":
            return self._array(schema, name, root)
        return {"integer": 0, "number": 0, "boolean": False, "null": None}.get(kind, self._string(name, schema))

    def _object(self, schema: dict[str, Any], name: str, root: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if {"source_id", "quote"} <= set(properties):
            chosen = self._take(f"{name} {schema.get('description', '')}", 1)
            return self._statement(chosen[0] if chosen else None, properties, root)
        return {key: self.fill(inner, key, root) for key, inner in properties.items()}

    def _array(self, schema: dict[str, Any], name: str, root: dict[str, Any]) -> list[Any]:
        items = _resolve(schema.get("items", {}), root)
        described = f"{name} {schema.get('description', '')}"
        count = _COUNT.search(described)
        most = (int(count[1]) + int(count[2]) + 1) // 2 if count else schema.get("maxItems", 3)
        if {"source_id", "quote"} <= set(items.get("properties", {})):
            return [self._statement(sentence, items["properties"], root) for sentence in self._take(described, most)]
        return [self.fill(items, name, root) for _ in range(schema.get("minItems", 1))]

    def _statement(self, sentence: Sentence | None, properties: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
        known = {"text": sentence.text, "quote": sentence.text, "source_id": sentence.source_id} if sentence else {}
        return {key: known.get(key, self.fill(inner, "", root) if key not in {"text", "quote"} else "") for key, inner in properties.items()}

    def _string(self, name: str, schema: dict[str, Any]) -> str:
        if name == "title":
            return self.topic if len(self.topic) >= 20 else f"{self.topic}: what the sources say"
        if name == "":
            return ""
        taken = self._take(f"{name} {schema.get('description', '')}", 1)
        return taken[0].text if taken else ""

    def _take(self, purpose: str, count: int) -> list[Sentence]:
        """Take the best unused sentences for a purpose, a little from every source, and put them in reading order."""
        hints = _stems(purpose)
        chosen: list[Sentence] = []
        while self.pool and len(chosen) < count:
            best = max(self.pool, key=lambda sentence: (self._worth(sentence, hints), -sentence.place, sentence.source_id))
            if self._worth(best, hints) <= 0:
                break
            self.pool.remove(best)
            self.pool = [other for other in self.pool if not _alike(other, best)]
            self.used[best.source_id] = self.used.get(best.source_id, 0) + 1
            chosen.append(best)
        return sorted(chosen, key=lambda sentence: (_rank(sentence.source_id), sentence.place))

    def _worth(self, sentence: Sentence, hints: frozenset[str]) -> float:
        relevance = sum(weight for stem, weight in self.wanted.items() if stem in sentence.stems)
        if relevance == 0:
            return 0.0  # speaks of something else
        affinity = min(2, len(hints & sentence.stems))
        spread = 0.25 * self.used.get(sentence.source_id, 0) + 0.2 * _rank(sentence.source_id)[0]
        return max(0.01, relevance + affinity - spread - sentence.doubt)


def answer(messages: list[str], schema: dict[str, Any]) -> dict[str, Any]:
    """Fill a schema from the user's messages; sentences that the last message complains about are not used again."""
    prompt = messages[0] if messages else ""
    request = _request(prompt)
    complaint = " ".join(messages[1:])
    pool = [sentence for sentence in _sentences(prompt) if sentence.text not in complaint]
    filler = Filler(pool, _weighed(_wanted(request, prompt), pool), str(request.get("topic") or "Notes from the sources").strip())
    filled: dict[str, Any] = filler.fill(schema, "", schema)
    return filled


def plain(messages: list[str]) -> str:
    """Answer without a schema: the three sentences that fit best."""
    prompt = messages[0] if messages else ""
    request = _request(prompt)
    filler = Filler(_sentences(prompt), _wanted(request, prompt), "")
    return " ".join(sentence.text for sentence in filler._take("", 3)) or "The extractive sandbox found no sources in the prompt."


def fingerprint(body: Any) -> str:
    """Name a request by its content."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def _request(prompt: str) -> dict[str, Any]:
    match = _REQUEST.search(prompt)
    try:
        found = json.loads(match[1]) if match else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _wanted(request: dict[str, Any], prompt: str) -> dict[str, float]:
    """Weigh the words of the request: topic and keywords most, the editor's wishes and the audience a little."""
    weights: dict[str, float] = {}
    for key, weight in (("topic", 2.0), ("keywords", 1.5), ("instructions", 0.8), ("audience", 0.3)):
        value = request.get(key) or ""
        for stem in _stems(" ".join(value) if isinstance(value, list) else str(value)):
            weights[stem] = max(weights.get(stem, 0.0), weight)
    return weights or dict.fromkeys(_stems(_SOURCE.sub("", prompt)), 1.0)


def _weighed(wanted: dict[str, float], pool: list[Sentence]) -> dict[str, float]:
    """Lower the weight of words that nearly every sentence holds."""
    spread = {stem: sum(1 for sentence in pool if stem in sentence.stems) for stem in wanted}
    return {stem: weight * math.log(1 + len(pool) / (1 + spread[stem])) / 2 for stem, weight in wanted.items()}


def _sentences(prompt: str) -> list[Sentence]:
    found: list[Sentence] = []
    seen: set[str] = set()
    for match in _SOURCE.finditer(prompt):
        source_id, text = match["id"] or match["id2"], match["text"] or match["text2"] or ""
        for place, raw in enumerate(_SPLIT.split(text)):
            sentence = raw.strip()
            if _usable(sentence) and sentence.lower() not in seen:
                seen.add(sentence.lower())
                found.append(Sentence(source_id, place, sentence, _stems(sentence), _doubt(sentence)))
    return found


def _doubt(sentence: str) -> float:
    """Weigh how much a sentence leans on what stood before it: pronouns without a noun, an opening that goes on."""
    opening = " ".join(sentence.split()[:7])
    return (4.0 if _DANGLING.match(sentence) else 0.0) + (4.0 if _LEANING.search(opening) else 0.0) + (1.0 if _PLACED.search(sentence) else 0.0)


def _usable(sentence: str) -> bool:
    """Keep whole, self-contained sentences of a readable length that talk to a reader."""
    length = len(sentence.split())
    return sentence.endswith((".", "!")) and sentence[:1].isupper() and 6 <= length <= 42 and not _ORDER.search(sentence) and "http" not in sentence


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stem(word.lower()) for word in _WORD.findall(text) if word.lower() not in _COMMON and len(word) > 1)


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "er", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _alike(one: Sentence, other: Sentence) -> bool:
    """Tell whether two sentences say nearly the same."""
    return len(one.stems & other.stems) >= 0.7 * max(1, min(len(one.stems), len(other.stems)))


def _rank(source_id: str) -> tuple[int, str]:
    digits = re.sub(r"\D", "", source_id)
    return (int(digits) if digits else 0, source_id)


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow $ref and take the first branch that is not null."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _resolve({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, root)
    for union in ("anyOf", "oneOf"):
        branches = [branch for branch in schema.get(union, []) if branch.get("type") != "null"]
        if branches:
            return _resolve(branches[0], root)
    return schema
