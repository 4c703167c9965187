import json
import subprocess
import sys

from aquascene.adapters.clock import now
from aquascene.adapters.postgres import accounts
from aquascene.adapters.postgres.db import transaction
from aquascene.web.deps import check_key


def keys(*arguments: str, ok: bool = True) -> str:
    done = subprocess.run([sys.executable, "-m", "aquascene.cli.main", "keys", *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) is ok, done.stderr
    return done.stdout if ok else done.stderr


def test_a_key_is_made_shown_once_listed_and_revoked(database: str) -> None:
    made = json.loads(keys("create", "ada", "--role", "publisher", "--json"))
    found = check_key(made["key"])
    assert found is not None
    assert (found.name, found.role) == ("ada", "publisher")
    listed = keys("list", "--json")
    assert made["prefix"] in listed
    assert made["key"].split("_", 2)[2] not in listed
    assert "has the role publisher" in keys("create", "ada", "--role", "admin", ok=False)
    keys("revoke", made["prefix"])
    assert check_key(made["key"]) is None
    assert "no API key" in keys("revoke", "0000000000", ok=False)


def test_ensure_key_is_idempotent(database: str) -> None:
    with transaction() as db:
        first = accounts.ensure_key(db, "demo-editor", "editor", "x" * 40)
        assert accounts.ensure_key(db, "demo-editor", "editor", "x" * 40) == first
        assert len(accounts.list_keys(db)) == 1
    found = check_key(first)
    assert found is not None
    assert found.usable(now())
