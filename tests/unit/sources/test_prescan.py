import time

import pytest

from aquascene.sources import prescan

PAGES = {
    "nested div": "<div>" * 50_000,
    "nested tables": "<table><tr><td>" * 5_000,
    "unclosed b and i": "<b><i>" * 20_000,
    "one tag with 100,000 attributes": "<p " + " ".join(f"a{n}" for n in range(100_000)) + ">x</p>",
    "quoted attributes": "<p " + " ".join(f'a{n}="v"' for n in range(100_000)) + ">x</p>",
    "300,000 paragraphs": "<p>x" * 300_000,
    "200,000 links": "<a href=x>y</a>" * 200_000,
    "unfinished tags": '<a b="' * 500_000,
    "unfinished closing tags": '</a "' * 500_000,
    "too large": "x" * 5_000_001,
}


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES.keys())
def test_what_hangs_parsers_is_turned_away_at_once(text: str) -> None:
    start = time.process_time()
    assert prescan.refusal(text) is not None
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "a < b and 3 < 4",
        "<p>one<p>two" * 1000,
        "<ul>" + "<li>x" * 5000 + "</ul>",
        "<!-- <div> -->" * 5000,
        "<script>" + "if (a<b) '<div>';" * 5000 + "</script>",
        "<!-- never ends " + "<div>" * 1000,
        "<script>never ends " + "<div>" * 1000,
        '<svg><path d="' + "M 0 0 " * 5000 + '"/></svg>',
        "<!--" * 1_000_000,
        "<br/>" * 5000,
        "<div>" * 200 + "</div>" * 200,
    ],
)
def test_ordinary_and_merely_untidy_pages_pass(text: str) -> None:
    start = time.process_time()
    assert prescan.refusal(text) is None
    assert time.process_time() - start < 3
