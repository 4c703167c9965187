"""What every set of rendered manifests keeps to; a rule has a code.

The broken examples in tests/fixtures/manifests/broken show one defect each and are refused with its code.
"""

import re
from collections.abc import Callable, Iterator

from scripts import manifests_custom, manifests_objects, manifests_pods
from scripts.manifests_set import Finding, Manifests, Workload, title, words

_VARIABLE = re.compile(r"\$\{\w*\}")
_PASSWORD = re.compile(r"://[^/@\s{]*:[^/@\s{]+@")
_NO_IMAGE = ("registry.invalid/", "@sha256:" + "0" * 64)

_OF_PODS: tuple[Callable[[Workload], Iterator[Finding]], ...] = (
    manifests_pods.identity,
    manifests_pods.resources,
    manifests_pods.probes,
    manifests_pods.job,
)
_OF_SETS: tuple[Callable[[Manifests], Iterator[Finding]], ...] = (
    manifests_objects.names,
    manifests_objects.namespaces,
    manifests_objects.network,
    manifests_objects.rights,
    manifests_objects.scaling,
    manifests_objects.disruption,
    manifests_objects.services,
    manifests_objects.ingress,
    manifests_pods.old_names,
    manifests_custom.routes,
    manifests_custom.gateways,
    manifests_custom.databases,
    manifests_custom.redis,
    manifests_custom.rollouts,
    manifests_custom.analyses,
)


def texts(manifests: Manifests) -> Iterator[Finding]:
    """No variables that nobody fills in, nothing that can be decoded."""
    for document in manifests.documents:
        for word in words(document):
            for found in _VARIABLE.findall(word):
                yield Finding("variable", title(document), f"{found} is put in by nobody: neither kubectl nor kustomize expands variables")
            if _PASSWORD.search(word):
                yield Finding("secret-data", title(document), "holds an address with a password")
        if document.get("kind") == "Secret" and any(readable(value) for key in ("data", "stringData") for value in (document.get(key) or {}).values()):
            yield Finding("secret-data", title(document), "is a secret in git: base64 is no encryption; External Secrets or SOPS")


def readable(value: object) -> bool:
    """Tell whether anybody can read a value of a Secret; SOPS leaves ENC[…]."""
    return bool(value) and not str(value).startswith("ENC[")


def findings(manifests: Manifests) -> list[Finding]:
    """Everything that is wrong with a set; a set of one zone is not asked for three."""
    found = list(texts(manifests))
    for rule in _OF_SETS:
        found += rule(manifests)
    for workload in manifests.workloads:
        for of_pods in _OF_PODS:
            found += of_pods(workload)
        found += manifests_pods.files(workload, manifests)
        found += manifests_pods.rollout(workload, manifests)
        if not single_zone(manifests):
            found += manifests_pods.spread(workload)
    return found


def single_zone(manifests: Manifests) -> bool:
    """Tell whether the set says of itself that its cluster has one zone (k8s/components/single-zone)."""
    labels = [namespace["metadata"].get("labels") or {} for namespace in manifests.of("Namespace")]
    return any(found.get("aquascene.example/zones") == "1" for found in labels)


def placeholders(manifests: Manifests) -> Iterator[Finding]:
    """Nothing of the reference copies is left in a release."""
    for document in manifests.documents:
        if any(mark in word for word in words(document) for mark in _NO_IMAGE):
            yield Finding("placeholder", title(document), "names the placeholder image; render it with --image")
