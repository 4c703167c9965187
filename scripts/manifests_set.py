"""Rendered manifests as a set: reading, finding objects in it, and what a finding is."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

Node = dict[str, Any]

CLUSTER_WIDE = {"Namespace", "PriorityClass", "GatewayClass", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding"}
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    code: str
    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.code}: {self.where}: {self.says}"


def title(document: Node) -> str:
    """Name a document as kubectl does."""
    return f"{document.get('kind')}/{(document.get('metadata') or {}).get('name')}"


def read(path: Path) -> list[Node]:
    """Read the documents of one file, by libyaml where it is there: the sets are long."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=loader) if document]  # both are safe


def words(value: Any) -> Iterator[str]:
    """Every string in a document, keys too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def selects(selector: Node | None, labels: Node) -> bool:
    """Tell whether a label selector matches; an empty one matches everything, none at all nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(expression, labels) for expression in selector.get("matchExpressions") or [])


def _expression(expression: Node, labels: Node) -> bool:
    key, values = expression["key"], expression.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


@dataclass(frozen=True)
class Workload:
    """Something with a pod template."""

    node: Node

    @property
    def title(self) -> str:
        """Kind and name."""
        return title(self.node)

    @property
    def kind(self) -> str:
        """Deployment, Job, ..."""
        return str(self.node["kind"])

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.node["metadata"]["name"])

    @property
    def spec(self) -> Node:
        """Spec of the object."""
        found: Node = self.node.get("spec") or {}
        return found

    @property
    def labels(self) -> Node:
        """Labels of its pods."""
        found: Node = (self.spec.get("template", {}).get("metadata") or {}).get("labels") or {}
        return found

    @property
    def pod(self) -> Node:
        """Spec of its pods."""
        found: Node = self.spec.get("template", {}).get("spec") or {}
        return found

    @property
    def containers(self) -> list[Node]:
        """All containers, those that run first included."""
        return [*(self.pod.get("initContainers") or []), *(self.pod.get("containers") or [])]


@dataclass(frozen=True)
class Manifests:
    """What one overlay renders."""

    documents: list[Node]

    def of(self, *kinds: str) -> list[Node]:
        """The documents of some kinds."""
        return [document for document in self.documents if document.get("kind") in kinds]

    def has(self, kind: str, name: Any) -> bool:
        """Tell whether the set holds an object."""
        return any(document["metadata"].get("name") == name for document in self.of(kind))

    @cached_property
    def workloads(self) -> list[Workload]:
        """Everything with pods of ours."""
        return [Workload(document) for document in self.of(*WORKLOADS)]

    @cached_property
    def scaled(self) -> set[tuple[str, str]]:
        """Kind and name of everything that an autoscaler owns."""
        targets = [document["spec"]["scaleTargetRef"] for document in self.of("HorizontalPodAutoscaler")]
        return {(str(target["kind"]), str(target["name"])) for target in targets}
