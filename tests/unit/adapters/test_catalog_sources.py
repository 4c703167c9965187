from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquascene.adapters.catalog import files, sources
from aquascene.errors import ConfigError, NotFound
from tests.production_settings import PRODUCTION

MINIMAL = "sources:\n  one:\n    name: One\n    entries: [{kind: feed, url: 'https://One.example/feed'}]\n"


@pytest.fixture
def catalog(tmp_path: Path, configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a catalog for the test."""

    def write(text: str) -> None:
        (tmp_path / "sources.yaml").write_text(text)
        monkeypatch.setattr(files, "locate", lambda name: tmp_path / name)

    return write


def test_a_minimal_source_covers_its_entries_origin(catalog: Callable[[str], None]) -> None:
    catalog(MINIMAL)
    (one,) = sources.all_sources()
    assert (one.key, one.allow, one.active) == ("one", ("https://one.example/",), True)
    assert sources.source_of("https://one.example/page") == one
    assert sources.source_of("https://two.example/") is None


def test_the_files_in_the_repository_are_valid(configured: Callable[..., Any]) -> None:
    (sample,) = sources.all_sources()
    assert sample.entries[0].url.startswith("http://127.0.0.1:")
    configured(ENVIRONMENT="demo", SANDBOX__PUBLICATION_PORT="1234")
    assert sources.all_sources()[0].entries[0].url == "http://127.0.0.1:1234/feed.xml"


def test_development_reads_the_sample_publication_where_it_is(configured: Callable[..., Any]) -> None:
    configured(ENVIRONMENT="development", SANDBOX__PUBLICATION_HOST="sandbox")
    (sample,) = sources.chosen_sources(None)
    assert [entry.url for entry in sample.entries] == ["http://sandbox:8101/feed.xml", "http://sandbox:8101/sitemap.xml"]
    assert sample.allow == ("http://sandbox:8101/",)


def test_the_documented_example_is_valid_and_inactive(configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    example = files.config_dir() / "sources.yaml"
    monkeypatch.setattr(files, "locate", lambda name: example)
    assert [source.active for source in sources.all_sources()] == [False]
    assert sources.chosen_sources(None) == []
    assert sources.one_source("example-magazine").max_pages == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "    rate: 3\n", r"sources\.one\.rate: unknown key"),
        (MINIMAL.replace("feed,", "rss,"), r"sources\.one\.entries\.0\.kind"),
        (MINIMAL.replace("https://One.example/feed", "file:///etc/passwd"), r"not an http or https address"),
        (MINIMAL + "    allow: ['ftp://x']\n", r"sources\.one\.allow"),
        (MINIMAL.replace("one:", "One Two:"), r"lower-case letters"),
        (MINIMAL + "    requests_per_second: 0\n", r"requests_per_second"),
        ("sources: 7\n", r"sources: "),
        ("other: {}\n", r"other: unknown key"),
        ("sources:\n  one: [\n", r"not valid YAML"),
    ],
)
def test_mistakes_are_named_with_their_path(catalog: Callable[[str], None], text: str, said: str) -> None:
    catalog(text)
    with pytest.raises(ConfigError, match=said):
        sources.all_sources()


def test_an_unknown_source_is_not_found(catalog: Callable[[str], None]) -> None:
    catalog(MINIMAL)
    with pytest.raises(NotFound, match=r"there is no source 'two'.*it has: one"):
        sources.one_source("two")


def test_production_refuses_high_rates(catalog: Callable[[str], None], configured: Callable[..., Any]) -> None:
    catalog(MINIMAL + "    requests_per_second: 20\n")
    assert sources.all_sources()[0].requests_per_second == 20
    configured(**PRODUCTION)
    with pytest.raises(ConfigError, match="refused in production: one"):
        sources.all_sources()
