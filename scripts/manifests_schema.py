"""Strict schemas for manifests: Kubernetes' own from kubernetes-validate, custom resources from k8s/schemas.

Strict means that a field nobody knows is an error, as it is for the API server with strict field validation. The
schemas of custom resources are ours: written from the vendors' field references, no more than what we use.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from kubernetes_validate.utils import schema_contents  # type: ignore[import-untyped]
from referencing import Registry, Resource

from scripts.manifests_set import Finding, Node, title

# The oldest minor that the current releases of cert-manager (1.21) and Envoy Gateway (1.9) support, and the newest there is.
OLDEST, NEWEST = "1.33", "1.37"
FOLDER = Path(__file__).resolve().parent.parent / "k8s" / "schemas"


@cache
def _definitions(minor: str) -> Any:
    """The definitions that all schemas of one minor refer to; custom resources refer to the newest, too."""
    return Resource.from_contents(_bundled(minor, "_definitions"))


def _bundled(minor: str, name: str) -> Any:
    return schema_contents(f"kubernetes-json-schema/v{minor}.0-local-strict/{name}.json", minor)


@cache
def _validator(api_version: str, kind: str, minor: str) -> Any:
    """The validator of one kind; None where nobody knows the kind."""
    own = FOLDER / f"{kind.lower()}-{api_version.replace('/', '-')}.json"
    if own.exists():
        schema = json.loads(own.read_text(encoding="utf-8"))
    else:
        group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
        try:
            schema = _bundled(minor, f"{kind.lower()}-{group}")
        except FileNotFoundError:
            return None
    registry: Any = _definitions(minor) @ Registry()
    return jsonschema.Draft202012Validator(schema, registry=registry)


def problems(document: Node, minor: str) -> Iterator[Finding]:
    """Name everything in one document that the schema of one minor refuses."""
    validator = _validator(str(document.get("apiVersion")), str(document.get("kind")), minor)
    if validator is None:
        yield Finding("unknown-kind", title(document), f"Kubernetes {minor} and our schemas know no {document.get('kind')} of {document.get('apiVersion')}")
        return
    for error in sorted(validator.iter_errors(document), key=lambda error: error.json_path):
        yield Finding("schema", title(document), f"{error.json_path.removeprefix('$.')}: {error.message[:300]}")
