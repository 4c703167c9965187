import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.drafting.text import content_stems, normalise, sentences, slugify, stem
from aquascene.drafting.units import numbers, quantities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keep it at 4.5 dKH. Then wait.", ["Keep it at 4.5 dKH.", "Then wait."]),
        ("Use e.g. Anubias. It grows.", ["Use e.g. Anubias.", "It grows."]),
        ("Between 20 and 26 °C. For Monte Carlo less.", ["Between 20 and 26 °C.", "For Monte Carlo less."]),
        ("A heading\nA sentence! Another?", ["A heading", "A sentence!", "Another?"]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text())
def test_sentences_lose_no_character_but_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_normalise_brings_marks_to_one_form() -> None:
    assert normalise("“20–30 mg/L”,\n don’t\u00a0wait") == '"20-30 mg/L", don\'t wait'


@pytest.mark.parametrize("pair", [("plants", "planting"), ("trimmed", "trimming"), ("buried", "bury"), ("carpet", "carpets"), ("dosing", "doses")])
def test_stems_meet(pair: tuple[str, str]) -> None:
    assert stem(pair[0]) == stem(pair[1])


def test_stop_words_carry_nothing() -> None:
    assert content_stems("It is not the one that they were") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CO2 at 20–30 mg/L", [("concentration", 20, 30)]),
        ("300 ppm", [("concentration", 300, 300)]),
        ("pH 6.0-7.5 and 72 to 79 °F", [("ph", 6, 7.5), ("temperature", 22.222, 26.111)]),
        ("KH of 2 to 8, GH 6-12, 4 dKH fluid", [("kh", 2, 8), ("gh", 6, 12), ("kh", 4, 4)]),
        ("between 20 and 26 degrees C", [("temperature", 20, 26)]),
        ("3-6 weeks in 1,000 L", [("time", 504, 1008), ("volume", 1000, 1000)]),
        ("40-60 µmol/m²/s", [("par", 40, 60)]),
        ("CO2, NO3 and a fall of pH", []),
    ],
)
def test_quantities(text: str, expected: list[tuple[str, float, float]]) -> None:
    assert [(found.dimension, found.low, found.high) for found in quantities(text)] == expected


def test_numbers_know_spelled_ones_and_names() -> None:
    assert numbers("CO2 for two tanks of 60 litres, 4.5 dKH, 1,000 L") == {2, 60, 4.5, 1000}


@pytest.mark.parametrize(
    ("title", "slug"), [("Growing CO₂ carpets: über alles!", "growing-co2-carpets-uber-alles"), ("水草", "draft"), ("a" * 30 + " " + "b" * 40, "a" * 30)]
)
def test_slugs(title: str, slug: str) -> None:
    assert slugify(title) == slug
