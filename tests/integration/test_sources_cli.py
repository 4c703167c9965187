"""`aquascene sources` and `aquascene extract` as a person calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aquascene.cli.main import app
from aquascene.sandbox import publication

PAGE = (
    "<html lang=en><title>Moss</title><article>"
    + "".join(f"<p>Moss number {n} grows on wood and on stone in clean water, slowly.</p>" for n in range(20))
    + "</article>"
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_extract_prints_the_document_as_json(tmp_path: Path, configured: Callable[..., Any]) -> None:
    saved = tmp_path / "page.html"
    saved.write_text(PAGE)
    result = run("extract", str(saved), "--url", "https://a.example/moss")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["title"], found["url"], found["language"]) == ("Moss", "https://a.example/moss", "en")
    assert run("extract", str(saved), "--url", "https://a.example/moss", "--text").stdout.startswith("Moss number 0 grows")


@pytest.mark.parametrize(
    ("content", "url", "said"),
    [
        (None, "https://a.example/", "cannot read"),
        ("<p>short", "https://a.example/", "no article text"),
        ("x", "file:///x", "--url"),
        ("<div>" * 50_000, "https://a.example/", "nested deeper"),
    ],
)
def test_extract_says_what_is_wrong(tmp_path: Path, configured: Callable[..., Any], content: str | None, url: str, said: str) -> None:
    saved = tmp_path / "page.html"
    if content is not None:
        saved.write_text(content)
    result = run("extract", str(saved), "--url", url)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_list_check_and_crawl(database: str, configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    base = serve(publication.create_app())
    port = base.rsplit(":", 1)[1]
    configured(SANDBOX__PUBLICATION_PORT=port, FETCH__LOOPBACK_ALLOW=f'["127.0.0.1:{port}"]')
    listed = json.loads(run("sources", "list", "--json").stdout)
    assert [source["key"] for source in listed] == ["sample"]
    good = run("sources", "check", f"{base}/articles/dry-start", "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["outcome"] == "fetched"
    closed = run("sources", "check", base + publication.DRAFT_PATH)
    assert closed.exit_code == 1
    assert "robots.txt disallows it" in closed.stdout
    assert run("sources", "check", "https://stranger.example/").exit_code == 2
    assert run("sources", "crawl", "nobody").exit_code == 2
    crawled = json.loads(run("sources", "crawl", "sample", "--json").stdout)
    assert crawled["new"] >= 20
    assert crawled["documents"]["duplicate"] >= 1
