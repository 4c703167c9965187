"""Quantities in text: numbers and ranges with their units, brought to one unit per dimension.

Degrees Celsius, mg/L (= ppm), dKH and dGH (17.85 mg/L CaCO3 each), centimetres, litres, hours, umol PAR.
"""

import re
from dataclasses import dataclass

from aquascene.drafting.text import normalise

_NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_RANGE = rf"(?P<lo>{_NUMBER})(?:\s*(?:-|to)\s*(?P<hi>{_NUMBER}))?"

# unit as written -> (dimension, factor, offset): canonical = value * factor + offset
_UNITS: dict[str, tuple[str, float, float]] = {
    r"(?:°|degrees?\s*|deg\.?\s*)?(?:C\b|Celsius|centigrade)": ("temperature", 1, 0),
    r"(?:°|degrees?\s*|deg\.?\s*)?(?:F\b|Fahrenheit)": ("temperature", 5 / 9, -160 / 9),
    r"(?:mg\s*/\s*l|mg\s*/\s*L|milligrams? (?:per|a) lit(?:re|er)|ppm)\b": ("concentration", 1, 0),
    r"°?\s?d?KH\b|degrees? (?:of )?(?:KH|carbonate hardness)": ("kh", 1, 0),
    r"°?\s?d?GH\b|degrees? (?:of )?(?:GH|general hardness)": ("gh", 1, 0),
    r"(?:µ|μ|u|micro)mol(?:es)?(?:\s*/?\s*m[²2]\s*/?\s*s)?\b|PAR\b": ("par", 1, 0),
    r"mm\b|millimet(?:re|er)s?\b": ("length", 0.1, 0),
    r"cm\b|centimet(?:re|er)s?\b": ("length", 1, 0),
    r"inch(?:es)?\b|in\.": ("length", 2.54, 0),
    r"ml\b|millilit(?:re|er)s?\b": ("volume", 0.001, 0),
    r"L\b|l\b|lit(?:re|er)s?\b": ("volume", 1, 0),
    r"(?:US )?gal(?:lons?)?\b": ("volume", 3.785, 0),
    r"min(?:ute)?s?\b": ("time", 1 / 60, 0),
    r"h\b|hrs?\b|hours?\b": ("time", 1, 0),
    r"days?\b": ("time", 24, 0),
    r"weeks?\b": ("time", 168, 0),
    r"months?\b": ("time", 730, 0),
    r"%|per ?cent\b": ("percent", 1, 0),
    r"[µμ]S(?:\s*/\s*cm)?\b": ("conductivity", 1, 0),
    r"K\b|kelvin\b": ("colour", 1, 0),
}
_PREFIXES = {"ph": "ph", "kh": "kh", "dkh": "kh", "gh": "gh", "dgh": "gh", "par": "par", "tds": "concentration"}
_FILL = r"(?:\s*(?:of|is|at|between|around|about|from|near|values?|levels?|range|[:=]))*"
_SUFFIXED = [(re.compile(rf"(?<![\w.,]){_RANGE}\s*-?(?:{unit})"), meaning) for unit, meaning in _UNITS.items()]
_PREFIXED = re.compile(rf"\b(?P<name>pH|d?KH|d?GH|PAR|TDS)\b{_FILL}\s*{_RANGE}")
_BETWEEN = re.compile(rf"(\bbetween (?:{_NUMBER}) )and(?= (?:{_NUMBER}))")
_BARE = re.compile(rf"(?<![\w.,])(?:{_NUMBER})")
_NUMBER_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "twenty": 20}
_SPELLED = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
# What a YAML entry may call its unit or attribute, to the dimension meant.
_NAMES = {
    "c": "temperature", "°c": "temperature", "f": "temperature", "temperature": "temperature", "temp": "temperature", "ph": "ph", "dkh": "kh", "kh": "kh",
    "dgh": "gh", "gh": "gh", "mg/l": "concentration", "ppm": "concentration", "par": "par", "umol": "par", "µmol/m²/s": "par", "umol/m2/s": "par",
    "µmol": "par", "cm": "length", "mm": "length", "inch": "length", "l": "volume", "litre": "volume", "litres": "volume", "h": "time", "hour": "time",
    "hours": "time", "day": "time", "days": "time", "week": "time", "weeks": "time", "months": "time", "%": "percent", "percent": "percent", "k": "colour",
}  # fmt: skip
_FACTORS = {"mm": 0.1, "inch": 2.54, "day": 24, "days": 24, "week": 168, "weeks": 168, "months": 730}


@dataclass(frozen=True)
class Quantity:
    """A number or range with its dimension, in the dimension's one unit, and where it stands in the normalised text."""

    dimension: str
    low: float
    high: float
    start: int
    end: int
    raw: str


def quantities(text: str) -> list[Quantity]:
    """Find numbers that have a unit (before or after them), in order; ranges are one quantity."""
    clean = _BETWEEN.sub(r"\1 to", normalise(text))  # the same length, so that places stay true
    found: dict[int, Quantity] = {}
    for match in _PREFIXED.finditer(clean):
        found[match.start("lo")] = _quantity(match, _PREFIXES[match["name"].lower()], 1, 0)
    for pattern, (dimension, factor, offset) in _SUFFIXED:
        for match in pattern.finditer(clean):
            known = found.get(match.start("lo"))
            if known is None or match.end() > known.end:
                found[match.start("lo")] = _quantity(match, dimension, factor, offset)
    return [found[start] for start in sorted(found)]


def _quantity(match: re.Match[str], dimension: str, factor: float, offset: float) -> Quantity:
    low = number(match["lo"])
    high = number(match["hi"]) if match["hi"] else low
    low, high = sorted((low * factor + offset, high * factor + offset))
    return Quantity(dimension, round(low, 3), round(high, 3), match.start("lo"), match.end(), match.group())


def number(raw: str) -> float:
    """Read a number as written in English or with a decimal comma."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", raw):
        return float(raw.replace(",", ""))
    return float(raw.replace(",", "."))


def numbers(text: str) -> set[float]:
    """Collect every number of a text, spelled ones up to twelve included; CO2 and NO3 are names, not numbers."""
    clean = normalise(text)
    return {number(raw) for raw in _BARE.findall(clean)} | {float(_NUMBER_WORDS[word.lower()]) for word in _SPELLED.findall(clean)}


def dimension_of(unit: str, attribute: str) -> str | None:
    """Name the dimension of a knowledge entry from its unit, else from its attribute."""
    named = _NAMES.get(unit.strip().lower())
    return named or next((_NAMES[part] for part in attribute.lower().split("_") if part in _NAMES), None)


def canonical(value: float, unit: str) -> float:
    """Bring a value of a knowledge entry to the dimension's one unit."""
    if unit.strip().lower() in {"f", "°f"}:
        return (value - 32) * 5 / 9
    return value * _FACTORS.get(unit.strip().lower(), 1)
