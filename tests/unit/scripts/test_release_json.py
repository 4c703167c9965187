"""release.json says which bytes a release is, and is not written where something does not fit."""

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from aquascene.adapters.postgres import migrate
from aquascene.adapters.settings_schema import schema_sha256, without_texts
from aquascene.release.model import parse
from scripts.release_json import PLATFORMS, ROLES, ROOT, release

VERSION = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
SHA = "0123456789abcdef0123456789abcdef01234567"


def entry(platform: str, number: int) -> dict[str, Any]:
    system, _, architecture = platform.partition("/")
    return {"digest": f"sha256:{number:064x}", "platform": {"os": system, "architecture": architecture}}


def options(folder: Path, names: tuple[str, ...] = (*PLATFORMS, "unknown/unknown"), **changes: str) -> argparse.Namespace:
    index = json.dumps({"manifests": [entry(name, number) for number, name in enumerate(names, 1)]}).encode()
    (folder / "index.json").write_bytes(index)
    assert VERSION is not None
    given = {
        "tag": f"v{VERSION[1]}",
        "git_sha": SHA,
        "created": "2026-11-23T12:00:00+00:00",
        "image": "registry.example/owner/aquascene",
        "digest": f"sha256:{hashlib.sha256(index).hexdigest()}",
    }
    return argparse.Namespace(**{**given, **changes}, index=folder / "index.json")


def test_a_release_names_its_bytes(tmp_path: Path) -> None:
    given = options(tmp_path)
    made = release(given)
    assert made["images"]["web"] == {
        "reference": f"registry.example/owner/aquascene@{given.digest}",
        "platforms": {"linux/amd64": f"sha256:{1:064x}", "linux/arm64": f"sha256:{2:064x}"},
    }
    assert (made["git_sha"], made["version"], made["configuration"]) == (SHA, given.tag[1:], {"schema_sha256": schema_sha256()})
    assert made["migrations"]["head"] == migrate.head()
    assert made["migrations"]["revisions"][0] == {"id": "0001", "phase": "expand"}
    assert made["rendered"]["docker/stack.yaml"] == hashlib.sha256((ROOT / "docker" / "stack.yaml").read_bytes()).hexdigest()
    assert made["prefect"]["version"].startswith("3.")


def test_promotion_reads_what_is_written(tmp_path: Path) -> None:
    made = release(options(tmp_path))
    read = parse(json.dumps(made))
    assert read.document() == {**made, "created": read.document()["created"]}
    assert read.migrations.head == migrate.head()


def test_the_same_input_writes_the_same(tmp_path: Path) -> None:
    assert json.dumps(release(options(tmp_path))) == json.dumps(release(options(tmp_path)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tag": "v99.0.0"}, "the tag is v99.0.0"),
        ({"git_sha": SHA[:7]}, "is not a full commit id"),
        ({"digest": f"sha256:{0:064x}"}, "the index has the digest"),
        ({"names": ("linux/amd64",)}, "the index lacks linux/arm64"),
        ({"names": ()}, "the index lacks linux/amd64, linux/arm64"),
    ],
    ids=["other-tag", "short-sha", "other-digest", "no-arm64", "empty-index"],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SystemExit, match=problem):
        release(options(tmp_path, **changes))


def test_roles_are_those_of_the_entry_point() -> None:
    entry_point = (ROOT / "docker" / "entrypoint.sh").read_text(encoding="utf-8")
    named = re.search(r"^  echo \"roles: ([a-z -]+);", entry_point, re.MULTILINE)
    assert named is not None
    assert tuple(named[1].split()) == ROLES


def test_texts_do_not_count_in_the_hash_of_the_settings() -> None:
    schema = {"title": "A", "properties": {"description": {"type": "string", "description": "Text."}}, "anyOf": [{"title": "B", "minimum": 1}]}
    assert without_texts(schema) == {"properties": {"description": {"type": "string"}}, "anyOf": [{"minimum": 1}]}
