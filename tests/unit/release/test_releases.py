"""What a release is, and which release runs on which schema."""

import json
import re
from typing import Any

import pytest

from aquascene.adapters.postgres.revisions import revisions, runs_on
from aquascene.errors import ConfigError
from aquascene.release import compatibility
from aquascene.release.compatibility import Pending
from aquascene.release.model import Revision, from_document, parse
from tests.promotion_making import a_release, digest, document


def test_release_json_is_read_and_kept_without_loss() -> None:
    found = parse(json.dumps(document(3, "0001", "0002", "!0003")))
    assert found.version == "1.3.0"
    assert found.digests == {"migrate": digest(3), "web": digest(3), "worker": digest(3)}
    assert [revision.phase for revision in found.migrations.revisions] == ["expand", "expand", "contract"]
    assert from_document(json.loads(json.dumps(found.document()))) == found
    assert found.sha256 == from_document(found.document()).sha256


def test_an_image_is_its_index_and_the_images_in_it() -> None:
    face = a_release(3).face
    assert face.matches(digest(3))
    assert face.matches(digest(1003))
    assert not face.matches(digest(4))
    assert not face.matches("")


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in document(1).items() if key != name}


def with_migrations(**changes: Any) -> dict[str, Any]:
    made = document(1, "0001", "0002")
    return made | {"migrations": made["migrations"] | changes}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (document(1) | {"format": 2}, "format"),
        (document(1) | {"extra": 1}, "extra"),
        (document(1) | {"version": "v1"}, "version"),
        (document(1) | {"git_sha": "abc"}, "git_sha"),
        (document(1) | {"created": "2026-11-23T12:00:00"}, "created"),
        (document(1) | {"images": {"web": document(1)["images"]["web"]}}, "images lacks worker"),
        (document(1) | {"images": {"web": {"reference": "registry.example/aquascene:latest"}}}, "images.web.reference"),
        (document(1) | {"rendered": {"docker/stack.yaml": "short"}}, "rendered"),
        (without("configuration"), "configuration"),
        (with_migrations(head="0001"), "head and runs_on.newest must be the last revision, 0002"),
        (with_migrations(runs_on={"oldest": "0001", "newest": "0002"}), "runs_on.oldest must be"),
        (with_migrations(revisions=[{"id": "0001", "phase": "expand"}] * 2, head="0001"), "listed twice"),
        (with_migrations(revisions=[{"id": "0002", "phase": "sideways"}]), "revisions.0.phase"),
        ([], "release"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_release_that_is_not_as_the_pipeline_writes_it_is_refused(broken: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse(json.dumps(broken))


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "format": 1}'])
def test_what_is_no_json_or_says_a_thing_twice_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not valid JSON"):
        parse(text)


def test_the_code_s_own_revisions_make_a_valid_release() -> None:
    known = revisions()
    oldest, newest = runs_on(known)
    migrations = {"head": newest, "runs_on": {"oldest": oldest, "newest": newest}, "revisions": [revision._asdict() for revision in known]}
    assert from_document(document(1, migrations=migrations)).migrations.head == newest


def line(*names: str) -> tuple[Revision, ...]:
    return a_release(9, *names).migrations.revisions


@pytest.mark.parametrize(
    ("own", "head", "beyond", "said"),
    [
        (("1", "2"), "2", ("1", "2"), ""),
        (("1", "2"), "3", ("1", "2", "3"), ""),
        (("1", "2"), "4", ("1", "2", "3", "4"), ""),
        (("1", "2", "!3"), "2", ("1", "2"), ""),  # its own contracting revision may still be missing
        (("1", "2", "!3"), "3", ("1", "2", "!3"), ""),
        (("1", "2"), "4", ("1", "2", "3", "!4"), "after the contracting revision 4"),
        (("1", "2"), "5", ("1", "2", "!3", "!4", "5"), "after the contracting revision 3, 4"),
        (("1", "2"), "1", ("1", "2"), "needs revision 2, the database is at 1"),
        (("1", "2"), None, ("1", "2"), "needs revision 2, the database is at none"),
        (("1", "2"), "9", ("1", "2", "3"), "no release in the ledger knows the database's revision 9"),
        (("1", "2"), "8", ("7", "1", "2", "8"), "of different lines"),
    ],
    ids=[
        "same",
        "one-further",
        "two-further",
        "own-contract-open",
        "own-contract-done",
        "contracted",
        "contracted-twice",
        "behind",
        "empty",
        "unknown",
        "fork",
    ],
)
def test_old_code_runs_on_a_newer_head_while_everything_beyond_expands(own: tuple[str, ...], head: str | None, beyond: tuple[str, ...], said: str) -> None:
    found = compatibility.refusal(a_release(1, *own), head, [line(*beyond)])
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("head", "expand", "contract", "blocked"),
    [
        (None, ["1", "2"], ["3"], ""),
        ("1", ["2"], ["3"], ""),
        ("2", [], ["3"], ""),
        ("3", [], [], ""),
        ("unknown-and-newer", [], [], ""),
    ],
)
def test_expanding_revisions_go_with_the_release_and_contracting_ones_stay(head: str | None, expand: list[str], contract: list[str], blocked: str) -> None:
    found = compatibility.pending(a_release(1, "1", "2", "!3"), head)
    assert ([one.id for one in found.expand], [one.id for one in found.contract], found.blocked_by) == (expand, contract, blocked)


def test_an_expanding_revision_behind_a_contracting_one_is_told() -> None:
    assert compatibility.pending(a_release(1, "1", "!2", "3"), "1").blocked_by == "2"
    assert compatibility.pending(a_release(1, "1", "!2", "3"), "2") == Pending((Revision(id="3", phase="expand"),), ())
