"""Write release.json: what one release is, immutably. Promotion reads nothing else about it.

    python scripts/release_json.py --tag v1.2.0 --git-sha SHA --created 2026-11-23T12:00:00Z \
        --image ghcr.io/owner/aquascene --digest sha256:... --index index.json > release.json

index.json is the image index as the registry holds it (`docker buildx imagetools inspect --raw IMAGE@DIGEST`); its own
hash must be the digest, so the digests of the platforms below are the ones that were signed.
"""

import argparse
import hashlib
import json
import re
import sys
import tomllib
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aquascene.adapters.postgres.revisions import revisions, runs_on
from aquascene.adapters.settings_schema import schema_sha256

ROOT = Path(__file__).resolve().parent.parent
FORMAT = 1
# The roles of docker/entrypoint.sh that a deployment runs from the image; one image has them all.
ROLES = ("web", "prefect-server", "prefect-services", "worker", "migrate", "apply", "sandbox", "smoke", "demo")
PLATFORMS = ("linux/amd64", "linux/arm64")
# Rendered files that are applied as they are; their hashes tell a plan which of them a release changes.
RENDERED = ("docker/stack.yaml", "docker/compose.yaml", "docker/demo.yaml", "k8s/rendered/*.yaml")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def fail(problem: str) -> SystemExit:
    """What the program ends with when something does not fit."""
    return SystemExit(f"release.json is not written: {problem}")


def checked_version(tag: str) -> str:
    """The version of a tag; it must be the one that the code was built as."""
    declared = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    if tag != f"v{declared}":
        raise fail(f"the tag is {tag}, pyproject.toml says {declared}; tag v{declared} or raise the version")
    return declared


def platforms(index: bytes, digest: str) -> dict[str, str]:
    """The image digest of each platform, from an index whose hash is checked; attestations in it are no platforms."""
    found = f"sha256:{hashlib.sha256(index).hexdigest()}"
    if found != digest:
        raise fail(f"the index has the digest {found}, not {digest}")
    entries = [(entry.get("platform", {}), entry["digest"]) for entry in json.loads(index).get("manifests", [])]
    named = {f"{platform.get('os')}/{platform.get('architecture')}": str(of) for platform, of in entries}
    if missing := [platform for platform in PLATFORMS if not _DIGEST.fullmatch(named.get(platform, ""))]:
        raise fail(f"the index lacks {', '.join(missing)}")
    return {platform: named[platform] for platform in PLATFORMS}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def migrations() -> dict[str, Any]:
    """Head, the heads that this code runs on, and every revision with its phase.

    A later release's list tells whether this one still runs on its schema: it does while all revisions beyond are `expand`.
    """
    known = revisions()
    oldest, newest = runs_on(known)
    return {"head": newest, "runs_on": {"oldest": oldest, "newest": newest}, "revisions": [revision._asdict() for revision in known]}


def rendered() -> dict[str, str]:
    """The hash of every rendered file."""
    files = sorted(path for pattern in RENDERED for path in ROOT.glob(pattern))
    return {path.relative_to(ROOT).as_posix(): _hash(path.read_bytes()) for path in files}


def release(options: argparse.Namespace) -> dict[str, Any]:
    """Put everything together; SystemExit where a part does not fit."""
    if not re.fullmatch(r"[0-9a-f]{40}", options.git_sha):
        raise fail(f"{options.git_sha!r} is not a full commit id")
    image = {"reference": f"{options.image}@{options.digest}", "platforms": platforms(options.index.read_bytes(), options.digest)}
    return {
        "format": FORMAT,
        "version": checked_version(options.tag),
        "git_sha": options.git_sha,
        "created": datetime.fromisoformat(options.created).isoformat(),
        "images": dict.fromkeys(ROLES, image),
        "configuration": {"schema_sha256": schema_sha256()},
        "migrations": migrations(),
        "prefect": {"version": version("prefect")},
        "rendered": rendered(),
    }


def main() -> int:
    """Print release.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", required=True, help="the tag, v and the version")
    parser.add_argument("--git-sha", required=True, help="the full commit id")
    parser.add_argument("--created", required=True, help="when, in ISO 8601; the time of the commit, so that a rebuild writes the same")
    parser.add_argument("--image", required=True, help="registry and name, without tag and digest")
    parser.add_argument("--digest", required=True, help="digest of the image index")
    parser.add_argument("--index", required=True, type=Path, help="file with the image index")
    print(json.dumps(release(parser.parse_args()), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
