"""`aquascene smoke`: a short suite of questions to a running installation, as its readers and programs ask them.

Needs nothing but the address: no database, no secret, no settings. It writes nothing; every request names itself
(X-Request-ID smoke-…), so that it can be told from readers. A further step is a function and one line in STEPS.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from aquascene.cli.output import EXIT_OUTSIDE, command, out, print_json, say
from aquascene.errors import ConfigError

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_ARTICLE = re.compile(r'href="(?:https?://[^"/]+)?(/articles/[a-z0-9-]+/)"')


class Wrong(Exception):
    """An answer is not as it should be; the message says what it is."""


@dataclass(frozen=True)
class Target:
    """The installation under test and what is expected of it."""

    client: httpx.Client
    git_sha: str = ""
    digest: str = ""

    def get(self, path: str, status: int = 200, **options: Any) -> httpx.Response:
        """Ask for a path; any status but the expected one is Wrong."""
        answer = self.client.get(path, **options)
        if answer.status_code != status:
            moved = f"; it leads to {answer.headers['location']}, so give that address" if "location" in answer.headers else ""
            raise Wrong(f"{path} answers {answer.status_code}, not {status}{moved}")
        return answer


@dataclass(frozen=True)
class Finding:
    """What one step found."""

    step: str
    ok: bool
    detail: str
    milliseconds: int = field(default=0)


def livez(target: Target) -> str:
    """The process answers."""
    target.get("/livez")
    return "alive"


def readyz(target: Target) -> str:
    """It reaches its database, whose schema it knows, and is not about to stop."""
    found = target.get("/readyz").json()
    return f"{found['status']}, schema {found['schema_revision']}, Prefect {found['prefect']}"


def running_version(target: Target) -> str:
    """It is the build that was meant."""
    found = target.get("/version").json()
    for name, wanted in (("git_sha", target.git_sha), ("image_digest", target.digest)):
        if wanted and found.get(name) != wanted:
            raise Wrong(f"{name} is {found.get(name) or 'not told'}, not {wanted}")
    return f"{found['version']} in {found['environment']}, commit {found['git_sha']}, image {found['image_digest'] or found['image'] or 'none'}"


def front_page(target: Target) -> str:
    """Readers get a page with its safeguards, and their next visit costs no bytes."""
    page = target.get("/")
    missing = [name for name in ("content-security-policy", "x-content-type-options", "cache-control", "etag") if name not in page.headers]
    if missing or not page.headers.get("content-type", "").startswith("text/html"):
        raise Wrong(f"/ comes without {', '.join(missing) or 'being HTML'}")
    target.get("/", 304, headers={"If-None-Match": page.headers["etag"]})
    return f"{len(page.content)} bytes"


def an_article(target: Target) -> str:
    """A published article and the record of where it comes from; before the first publish there is none."""
    found = _ARTICLE.search(target.get("/").text)
    if found is None:
        return "nothing is published yet"
    target.get(found[1])
    sources = target.get(f"{found[1]}provenance.json").json()["sources"]
    if not sources:
        raise Wrong(f"{found[1]} names no source")
    return f"{found[1]} from {len(sources)} sources"


def nothing_there(target: Target) -> str:
    """What does not exist is said not to."""
    target.get(f"/articles/smoke-{token_hex(6)}/", 404)
    return "404"


def openapi(target: Target) -> str:
    """Programs find out what there is."""
    paths = target.get("/openapi.json").json()["paths"]
    missing = [path for path in ("/api/v1/content", "/api/v1/generate", "/api/v1/subscribers") if path not in paths]
    if missing:
        raise Wrong(f"the description leaves out {', '.join(missing)}")
    return f"{len(paths)} paths"


def api_is_closed(target: Target) -> str:
    """Without a key the API gives nothing away."""
    answer = target.get("/api/v1/content", 401)
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        raise Wrong("/api/v1/content refuses, but not with a problem document")
    return "401 without a key"


def subscribe_form(target: Target) -> str:
    """People can subscribe."""
    if 'name="email"' not in target.get("/subscribe").text:
        raise Wrong("/subscribe has no field for an address")
    return "the form is there"


STEPS: dict[str, Callable[[Target], str]] = {
    "livez": livez,
    "readyz": readyz,
    "version": running_version,
    "front page": front_page,
    "article": an_article,
    "not found": nothing_there,
    "openapi": openapi,
    "api": api_is_closed,
    "subscribe": subscribe_form,
}


def run(target: Target, steps: dict[str, Callable[[Target], str]] = STEPS) -> list[Finding]:
    """Take every step, also after one that failed."""
    return [_take(name, step, target) for name, step in steps.items()]


def _take(name: str, step: Callable[[Target], str], target: Target) -> Finding:
    began = time.monotonic()
    try:
        ok, detail = True, step(target)
    except Wrong as exc:
        ok, detail = False, str(exc)
    except httpx.HTTPError as exc:
        ok, detail = False, f"no answer: {type(exc).__name__} {exc}".strip()
    except (ValueError, KeyError, TypeError) as exc:  # not JSON, or not the JSON that was promised
        ok, detail = False, f"an answer is not what it should be: {type(exc).__name__} {exc}"
    return Finding(name, ok, detail, round((time.monotonic() - began) * 1000))


def wait_until_ready(target: Target, seconds: float) -> None:
    """Give an installation that is still starting some time; the steps say what is wrong after it."""
    until = time.monotonic() + seconds
    while not _take("readyz", readyz, target).ok and time.monotonic() < until:
        time.sleep(0.5)


@command
def smoke(
    address: Annotated[str, typer.Argument(help="Address of the installation; the same as --base-url.")] = "",
    base_url: Annotated[str, typer.Option("--base-url", help="Address of the installation, as https://planted.example.")] = "",
    expect_git_sha: Annotated[str, typer.Option("--expect-git-sha", help="The commit that must run there.")] = "",
    expect_digest: Annotated[str, typer.Option("--expect-digest", help="The image that must run there, as sha256:...")] = "",
    wait: Annotated[float, typer.Option("--wait", min=0, help="Wait so many seconds for it to become ready.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Ask a running installation a few questions that readers and programs ask; exit 3 where an answer is wrong."""
    url = (base_url or address).rstrip("/")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError("say which installation to ask: `aquascene smoke --base-url https://planted.example`")
    headers = {"X-Request-ID": f"smoke-{token_hex(8)}", "User-Agent": "AquaScene-smoke"}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT) as client:
        target = Target(client, expect_git_sha, expect_digest.partition("@")[2] or expect_digest)
        if wait:
            wait_until_ready(target, wait)
        findings = run(target)
    _tell(url, findings, json)
    return 0 if all(finding.ok for finding in findings) else EXIT_OUTSIDE


def _tell(url: str, findings: list[Finding], json: bool) -> None:
    failed = [finding.step for finding in findings if not finding.ok]
    if json:
        print_json({"base_url": url, "ok": not failed, "steps": findings})
        return
    for finding in findings:
        out.print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.step:<11} {finding.milliseconds:>6} ms  {finding.detail}", markup=False)
    say(f"{url}: {len(failed)} of {len(findings)} steps failed" if failed else f"{url}: all {len(findings)} steps are as they should be")


def main() -> None:
    """Run it by itself (`python -m aquascene.cli.smoke`), without the settings that the `aquascene` command reads."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(smoke)
    app()


if __name__ == "__main__":
    main()
