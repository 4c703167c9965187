"""The main job from source to inbox, looked at from all its sides: database, files, inbox, Prefect API."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.conftest import Demo, run_demo


def test_summary_says_that_everything_is_as_it_should_be(demo: Demo) -> None:
    assert demo.summary["problems"] == []
    assert demo.summary["ok"] is True
    assert demo.summary["memory_mb"] < 1536


def test_rows_tell_the_whole_line(demo: Demo) -> None:
    counts = demo.summary["counts"]
    assert counts["pages"] >= 15
    assert counts["documents"]["fresh"] >= 12
    assert counts["documents"]["duplicate"] >= 1
    assert {provider for (provider,) in demo.rows("SELECT DISTINCT provider FROM draft")} == {"openai", "anthropic"}
    # Every claim quotes, word for word, a document that was read.
    for claims in demo.rows("SELECT claims FROM draft"):
        assert claims[0]
        for claim in claims[0]:
            (text,) = demo.rows("SELECT text FROM document WHERE id = %s", claim["document_id"])[0]
            assert " ".join(claim["quote"].split()) in " ".join(text.split())
    # Each live article shows exactly what was approved.
    unapproved = demo.rows(
        "SELECT a.id FROM article a JOIN draft d ON d.id = a.draft_id LEFT JOIN verdict v ON v.draft_id = d.id AND v.decision = 'approve' "
        "WHERE a.state = 'live' AND (v.id IS NULL OR v.content_sha256 <> d.content_sha256 OR a.content_sha256 <> d.content_sha256)"
    )
    assert unapproved == []


def test_count_equation_balances(demo: Demo) -> None:
    ((candidates, excluded, planned),) = demo.rows(
        "SELECT c.candidates, c.excluded, (SELECT count(*) FROM delivery d WHERE d.campaign_id = c.id) FROM campaign c WHERE c.state = 'sent'"
    )
    assert candidates == excluded + planned or candidates == planned  # whether excluded candidates keep a row is the ledger's choice
    deliveries = demo.summary["counts"]["deliveries"]
    assert deliveries.get("delivered", 0) >= 5
    assert deliveries.get("bounced", 0) >= 1
    assert not {"planned", "unknown", "accepted"} & set(deliveries)


def test_inbox_holds_one_mail_per_delivery(demo: Demo) -> None:
    messages = httpx.get(f"{demo.sandbox}/inbox.json", timeout=20).json()["messages"]
    newsletters = [message for message in messages if message["custom_args"].get("c")]
    assert len({message["to"] for message in newsletters}) == len(newsletters) > 0
    # Nothing personal in what the provider keeps.
    for message in newsletters:
        assert "@" not in json.dumps(message["custom_args"])


def test_raw_pages_are_kept_under_their_hash(demo: Demo) -> None:
    for key, sha in demo.rows("SELECT object_key, body_sha256 FROM page"):
        body = (demo.home / "objects" / "data" / key).read_bytes()
        assert hashlib.sha256(body).hexdigest() == sha


def test_site_serves_article_with_provenance(demo: Demo) -> None:
    slug = demo.rows("SELECT slug FROM article WHERE state = 'live' ORDER BY slug")[0][0]
    page = httpx.get(f"{demo.web}/articles/{slug}/", timeout=20)
    assert page.status_code == 200
    assert "sandbox" in page.text.lower()  # labelled for what it is
    record = httpx.get(f"{demo.web}/articles/{slug}/provenance.json", timeout=20).json()
    assert record["sources"]
    assert httpx.get(f"{demo.web}/feed.xml", timeout=20).status_code == 200
    assert httpx.get(f"{demo.web}/no-such-page", timeout=20).status_code == 404


def test_prefect_shows_the_run_with_its_artifacts(demo: Demo) -> None:
    run = httpx.get(f"{demo.prefect_api}/flow_runs/{demo.summary['run_id']}", timeout=20).json()
    assert run["state"]["type"] == "COMPLETED"
    keys = {artifact["key"] for artifact in httpx.post(f"{demo.prefect_api}/artifacts/latest/filter", json={"limit": 200}, timeout=20).json()}
    assert {"scrape-summary", "pipeline-summary"} <= keys
    assert any(key.startswith("draft-") for key in keys)
    assert any("deliver" in key or "newsletter" in key for key in keys)


def test_sources_were_read_politely(demo: Demo) -> None:
    publication = demo.rows("SELECT DISTINCT split_part(url, '/', 3) FROM page")[0][0]
    stats = httpx.get(f"http://{publication}/_control/stats", timeout=20).json()
    assert not [path for path in stats["paths"] if path.startswith("/drafts/")]
    assert demo.rows("SELECT count(*) FROM page WHERE final_url LIKE %s", "%169.254%") == [(0,)]


def test_no_secret_in_logs_or_prefect(demo: Demo) -> None:
    secrets = [path.read_text().strip() for path in (demo.home / "secrets").iterdir() if path.suffix != ".pem"]
    secrets.append((Path(demo.database_url.split("host=")[1]), demo.database_url.split(":")[2].split("@")[0])[1])
    texts = [path.read_text(errors="replace") for path in (demo.home / "logs").iterdir()]
    for kind in ("flow_runs", "deployments", "artifacts", "logs"):
        limit = 200
        texts.append(httpx.post(f"{demo.prefect_api}/{kind}/filter", json={"limit": limit}, timeout=30).text)
    for text in texts:
        assert not [secret for secret in secrets if secret in text]
        assert "@example." not in text  # no address either


def test_prefect_deploy_all_works_against_the_server(demo: Demo) -> None:
    environment = {**demo.child_environment(), "ENVIRONMENT": "development", "GIT_SHA": "0123456", "WORK_POOL": "process"}
    applied = subprocess.run([sys.executable, "-m", "deployments.apply"], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert applied.returncode == 0, applied.stderr
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    deployed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    found = httpx.post(f"{demo.prefect_api}/deployments/filter", json={"limit": 200, "deployments": {"name": {"any_": ["development"]}}}, timeout=20).json()
    assert len(found) == 12
    assert {entry["work_pool_name"] for entry in found} == {"aquascene-development-process"}
    del environment["GIT_SHA"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert refused.returncode != 0
    assert "GIT_SHA" in refused.stdout + refused.stderr


def test_run_deployment_from_python(demo: Demo) -> None:
    script = (
        "from prefect.deployments import run_deployment\n"
        "run = run_deployment('generate/demo', parameters={'brief_ids': []}, timeout=90, as_subflow=False)\n"
        "print(run.state.name)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=demo.child_environment(), capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout.strip().endswith("Completed"), done.stdout + done.stderr


def test_second_start_from_the_same_home_is_refused(demo: Demo) -> None:
    second = run_demo(demo.home, timeout=60)
    assert second.returncode == 2
    assert "already running" in second.stderr
    assert os.path.exists(demo.home / "up.lock")
