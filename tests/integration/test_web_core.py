"""The web application over a real socket: who may do what, problem documents, limits, headers."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from aquascene.adapters import clock
from aquascene.adapters.postgres import accounts
from aquascene.adapters.postgres.db import transaction
from aquascene.editorial import keys
from aquascene.web.app import create_app
from aquascene.web.deps import COOKIE, sign


def a_key(role: str = "editor", name: str | None = None) -> str:
    with transaction() as db:
        return accounts.ensure_key(db, name or f"a-{role}", role, f"secret-of-{name or role}-0123456789")


def bearer(role: str = "editor") -> dict[str, str]:
    return {"Authorization": f"Bearer {a_key(role)}"}


@pytest.fixture
def client(database: str, serve: Callable[[Any], str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        yield client


def signed_in(client: httpx.Client, role: str = "editor") -> None:
    answer = client.post("/desk/sign-in", data={"api_key": a_key(role)})
    assert answer.status_code == 303
    # The cookie's host has a port in tests; httpx keeps it by itself.
    assert COOKIE in client.cookies


def test_health_says_what_it_needs_and_what_it_can_do_without(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["prefect"]) == (200, "ok", "not-configured")
    assert client.get("/health").json() == ready.json()
    assert client.get("/version").json()["environment"] == "demo"


def test_readiness_fails_without_a_database_and_liveness_does_not(configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    configured(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", DATABASE__CONNECT_TIMEOUT_SECONDS="1")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        down = client.get("/api/v1/content", headers={"Authorization": "Bearer aq_abcdef1234_0123456789abcdef"})
        assert (down.status_code, down.json()["type"], "retry-after" in down.headers) == (503, "urn:aquascene:problem:transient", True)
        assert "aquascene_database_up 0.0" in client.get("/metrics").text


def test_metrics_are_read_from_rows_and_count_requests(client: httpx.Client) -> None:
    client.get("/livez")
    text = client.get("/metrics").text
    assert "aquascene_database_up 1.0" in text
    assert 'aquascene_http_requests_total{method="GET",route="/livez",status="200"}' in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/content", 405), ("GET", "/api/v1/auth/token", 405), ("POST", "/api/v1/auth/token", 422)],
    ids=["unknown", "method", "reading-a-post-route", "no-body"],
)
def test_errors_are_problem_documents(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"X-Request-ID": "my-request-0001"})
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["instance"], problem["request_id"]) == (status, path, "my-request-0001")
    assert {"type", "title", "detail"} <= problem.keys()
    assert answer.headers["x-request-id"] == "my-request-0001"
    if status == 405:
        assert answer.headers["allow"]


def test_a_key_opens_what_its_role_may_and_no_more(client: httpx.Client) -> None:
    assert client.get("/api/v1/content").status_code == 401
    assert client.get("/api/v1/content").headers["www-authenticate"].startswith("Bearer")
    assert client.get("/api/v1/content", headers=bearer("writer")).status_code == 200
    verdict = {"decision": "approve", "content_sha256": "0" * 64}
    path = "/api/v1/content/019a0000-0000-7000-8000-000000000000/versions/1/verdicts"
    assert client.post(path, json=verdict, headers=bearer("writer")).status_code == 403
    assert client.post(path, json=verdict, headers=bearer("admin")).status_code == 404
    assert client.get("/api/v1/content", headers={"Authorization": f"Bearer {a_key()}x"}).status_code == 401
    assert client.get("/api/v1/content", headers={"Authorization": "Basic abc"}).status_code == 401


def test_a_token_stands_for_its_key_and_dies_with_it(client: httpx.Client) -> None:
    key = a_key()
    token = client.post("/api/v1/auth/token", json={"api_key": key}).json()
    assert token["expires_in"] == 900
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert client.get("/api/v1/content", headers=headers).status_code == 200
    prefix = (keys.split(key) or ("", ""))[0]
    with transaction() as db:
        found = accounts.by_prefix(db, prefix)
    late = sign(found, "api", clock.now() - timedelta(hours=1), timedelta(minutes=15))
    assert client.get("/api/v1/content", headers={"Authorization": f"Bearer {late}"}).status_code == 401
    for_the_desk = sign(found, "desk", clock.now(), timedelta(minutes=15))
    assert client.get("/api/v1/content", headers={"Authorization": f"Bearer {for_the_desk}"}).status_code == 401
    with transaction() as db:
        accounts.revoke(db, prefix, clock.now())
    assert client.get("/api/v1/content", headers=headers).status_code == 401
    assert client.post("/api/v1/auth/token", json={"api_key": key}).status_code == 401


def test_the_desk_asks_to_sign_in_and_signs_out(client: httpx.Client) -> None:
    sent = client.get("/desk/history", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/desk/sign-in?next=/desk/history")
    assert "unknown, revoked or expired" in client.post("/desk/sign-in", data={"api_key": "aq_nonsense_0123456789abcdef"}).text
    signed_in(client)
    assert "Waiting for a verdict" in client.get("/desk").text
    cookie = client.post("/desk/sign-in", data={"api_key": a_key(), "next": "//evil.example"})
    assert cookie.headers["location"] == "/desk"
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.headers["set-cookie"].split("; "))


def test_a_state_change_by_cookie_needs_the_sessions_token(client: httpx.Client) -> None:
    signed_in(client)
    csrf = client.get("/desk").text.split('name="csrf" value="')[1].split('"')[0]
    assert client.post("/desk/sign-out").status_code == 403
    assert client.post("/desk/sign-out", data={"csrf": "0" * 64}).status_code == 403
    assert client.post("/desk/sign-out", data={"csrf": csrf}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/desk/sign-out", data={"csrf": csrf}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/api/v1/generate", json={"content_type": "guide", "topic": "Moss"}).status_code == 403
    assert client.post("/api/v1/generate", json={"content_type": "guide", "topic": "Moss"}, headers={"X-CSRF-Token": csrf}).status_code == 202
    assert client.post("/desk/sign-out", data={"csrf": csrf}).status_code == 303


def test_security_headers_stand_on_every_answer(client: httpx.Client) -> None:
    for path in ("/livez", "/desk/sign-in", "/api/v1/nothing"):
        headers = client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert "server" not in headers or "uvicorn" in headers["server"]


def test_too_many_requests_wait_but_health_answers(database: str, configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    configured(WEB__BURST_SIZE="3", WEB__REQUESTS_PER_HOUR="3600")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        answers = [client.get("/api/v1/content", headers=bearer()) for _ in range(5)]
        assert [answer.status_code for answer in answers][:3] == [200, 200, 200]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert client.get("/livez").status_code == 200
        assert client.get("/api/v1/content", headers=bearer("writer")).status_code == 200  # another key has its own bucket


def test_guessing_keys_empties_the_bucket_of_the_address(database: str, configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    configured(WEB__BURST_SIZE="5", WEB__REQUESTS_PER_HOUR="10")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        guesses = [client.get("/api/v1/content", headers={"Authorization": f"Bearer aq_guess{n:03}_0123456789abcdef"}) for n in range(8)]
    assert [guess.status_code for guess in guesses] == [401] * 5 + [429] * 3


def test_a_body_beyond_the_limit_is_refused_declared_or_not(database: str, configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    configured(WEB__MAX_BODY_BYTES="2000")
    with httpx.Client(base_url=serve(create_app()), timeout=20) as client:
        assert client.post("/api/v1/auth/token", content=b"x" * 3000).status_code == 413
        streamed = client.post("/api/v1/auth/token", content=iter([b"x" * 1500, b"x" * 1500]), headers={"content-type": "application/json"})
        assert (streamed.status_code, streamed.headers["content-type"]) == (413, "application/problem+json")


def test_static_files_are_cached_for_good_under_their_content(client: httpx.Client) -> None:
    address = client.get("/desk/sign-in").text.split('rel="stylesheet" href="')[1].split('"')[0]
    found = client.get(address)
    assert (found.status_code, found.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert found.headers["content-type"].startswith("text/css")
    assert client.get("/static/000000000000/desk.css").headers["cache-control"] == "no-cache"
    assert client.get("/static/x/..%2fapp.py").status_code == 404


def test_openapi_names_the_scheme_and_every_api_route(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert {"/api/v1/content", "/api/v1/generate", "/api/v1/auth/token", "/readyz", "/version"} <= described["paths"].keys()
    assert described["paths"]["/api/v1/content"]["get"]["security"]
    assert "HTTPBearer" in described["components"]["securitySchemes"]


def _access(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "aquascene.web.access"]


def test_the_log_holds_no_address_and_no_token(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="aquascene.web.access"):
        client.get("/api/v1/generate/019a0000-0000-7000-8000-000000000000", headers=bearer())
        until = time.monotonic() + 5
        while not (lines := _access(caplog)) and time.monotonic() < until:
            time.sleep(0.01)  # the line is written once the answer is out
    assert any("route=/api/v1/generate/{brief_id} status=404" in line for line in lines)
    assert not any("127.0.0.1" in line or "019a0000" in line for line in lines)
