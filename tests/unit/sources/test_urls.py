import pytest

from aquascene.sources.model import Entry, Source, SourceKind
from aquascene.sources.urls import host_of, in_scope, normalise, same_site, select


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/a#part", "http://example.org/a"),
        ("https://example.org:443/a/../b/./c", "https://example.org/b/c"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("https://example.org/../../a", "https://example.org/a"),
        ("https://example.org/a/..", "https://example.org/"),
        ("https://example.org/a?utm_source=x&id=2&fbclid=y", "https://example.org/a?id=2"),
        ("https://example.org/a?id=2&b=%20", "https://example.org/a?id=2&b=%20"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://example.org/a%2Fb", "https://example.org/a%2Fb"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("https://example.org./a", "https://example.org/a"),
    ],
)
def test_normalise_writes_one_spelling(said: str, written: str) -> None:
    assert normalise(said) == written
    assert normalise(written) == written


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "javascript:alert(1)",
        "http://user:secret@example.org/",
        "http://user@example.org/",
        "http://",
        "http://a b/",
        "http://example.org:99999/",
        "http://example.org\\@evil.test/",
        "//example.org/x",
        "http://[::1/",
        "http://example.org/\x00",
        "data:text/html,x",
        "http://" + "a" * 3000,
    ],
)
def test_normalise_refuses(url: str) -> None:
    assert normalise(url) is None


def test_normalise_joins_a_base() -> None:
    assert normalise("../b?x=1", "https://example.org/a/c/") == "https://example.org/a/b?x=1"


def test_host_of_names_the_port_dialled() -> None:
    assert host_of("https://example.org/a") == "example.org:443"
    assert host_of("http://127.0.0.1:81/a") == "127.0.0.1:81"


def test_in_scope_is_not_fooled_by_longer_hosts() -> None:
    assert in_scope("https://a.example/x", ("https://a.example",), ())
    assert not in_scope("https://a.example.evil.test/x", ("https://a.example",), ())
    assert not in_scope("https://a.example/private/x", ("https://a.example/",), ("https://a.example/private/",))


def test_same_site_allows_https_and_www_only() -> None:
    assert same_site("http://a.example/x", "https://www.a.example/y")
    assert not same_site("http://a.example:8080/x", "http://a.example/y")
    assert not same_site("http://b.example/", "http://a.example/")


def test_select_takes_each_url_once_in_scope_and_not_too_many() -> None:
    source = Source("s", "S", (Entry(SourceKind.FEED, "https://a.example/feed"),), allow=("https://a.example/",), max_pages=2)
    found = ["https://a.example/1", "https://b.example/2", "https://a.example/1", "https://a.example/3", "https://a.example/4"]
    assert select(source, found, 100) == ["https://a.example/1", "https://a.example/3"]
