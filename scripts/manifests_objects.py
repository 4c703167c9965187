"""Rules for objects of Kubernetes that are not pods: namespace, network, rights, scaling, ways in."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from scripts.manifests_set import CLUSTER_WIDE, Finding, Manifests, Node, Workload, selects, title

# What nothing that reads the internet may reach: private networks and where clouds keep their metadata.
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_LEVELS = ("enforce", "audit", "warn")


def names(manifests: Manifests) -> Iterator[Finding]:
    """Every object says where it belongs."""
    spaces = {document["metadata"].get("namespace") for document in manifests.documents if document.get("kind") not in CLUSTER_WIDE}
    for document in manifests.documents:
        if document.get("kind") not in CLUSTER_WIDE and not document["metadata"].get("namespace"):
            yield Finding("namespace", title(document), "has no namespace of its own: it lands wherever the client happens to be")
    if len(spaces - {None}) > 1:
        yield Finding("namespace", "set", f"has more than one namespace: {', '.join(sorted(str(space) for space in spaces))}")


def namespaces(manifests: Manifests) -> Iterator[Finding]:
    """Pod Security, a quota, and defaults for what says nothing."""
    for namespace in manifests.of("Namespace"):
        labels = namespace["metadata"].get("labels") or {}
        for level in _LEVELS:
            if labels.get(f"pod-security.kubernetes.io/{level}") != "restricted":
                yield Finding("pod-security", title(namespace), f"does not {level} the standard `restricted`")
        for kind in ("ResourceQuota", "LimitRange"):
            if not manifests.of(kind):
                yield Finding("quota", title(namespace), f"has no {kind}")


def network(manifests: Manifests) -> Iterator[Finding]:
    """Nothing by default, both ways; ways out are named and never lead into private networks by accident."""
    policies = manifests.of("NetworkPolicy")
    for direction in ("Ingress", "Egress"):
        if not any(_denies(policy, direction) for policy in policies):
            yield Finding("default-deny", "set", f"allows all {direction.lower()} that no policy speaks of")
    for policy in policies:
        for rule in policy["spec"].get("egress") or []:
            yield from _way_out(policy, rule)
        for rule in policy["spec"].get("ingress") or []:
            if not rule.get("from") or not rule.get("ports"):
                yield Finding("open-ingress", title(policy), "lets in everybody, or on every port")


def _denies(policy: Node, direction: str) -> bool:
    spec = policy["spec"]
    return spec.get("podSelector") == {} and direction in spec.get("policyTypes", []) and not spec.get(direction.lower())


def _way_out(policy: Node, rule: Node) -> Iterator[Finding]:
    if not rule.get("to") or not rule.get("ports"):
        yield Finding("open-egress", title(policy), "leads everywhere, or to every port")
    for peer in rule.get("to") or []:
        block = peer.get("ipBlock") or {}
        if block.get("cidr") == "0.0.0.0/0":
            excepted = [ip_network(entry) for entry in block.get("except") or []]
            missing = [one for one in PRIVATE if not any(_within(one, entry) for entry in excepted)]
            if missing:
                yield Finding("private-networks", title(policy), f"leads into {', '.join(missing)}: the metadata service of a cloud gives away its keys")


def _within(one: str, other: Any) -> bool:
    return bool(ip_network(one).subnet_of(other))


def rights(manifests: Manifests) -> Iterator[Finding]:
    """Few, named, and in one namespace."""
    for document in manifests.of("ClusterRole", "ClusterRoleBinding"):
        yield Finding("cluster-rights", title(document), "gives rights over the whole cluster")
    for binding in manifests.of("RoleBinding"):
        if binding["roleRef"].get("kind") == "ClusterRole":
            yield Finding("cluster-rights", title(binding), f"lends {binding['roleRef'].get('name')}, which is meant for administrators")
    for role in manifests.of("Role", "ClusterRole"):
        for rule in role.get("rules") or []:
            given = {entry for key in ("verbs", "resources", "apiGroups") for entry in rule.get(key) or []}
            if "*" in given:
                yield Finding("wildcard-rights", title(role), "gives everything of a sort")
            if given & {"secrets", "escalate", "bind", "impersonate", "pods/exec"}:
                yield Finding("secret-rights", title(role), "lets its holder read secrets or become somebody else")


def scaling(manifests: Manifests) -> Iterator[Finding]:
    """Autoscalers have a target, act at once, and count what goes down again."""
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not manifests.has(target["kind"], target["name"]):
            yield Finding("autoscaler-target", title(scaler), f"scales {target['kind']}/{target['name']}, which is not in the set")
        for metric in scaler["spec"].get("metrics") or []:
            if (metric.get("resource") or {}).get("name") == "memory":
                yield Finding("autoscaler-memory", title(scaler), "counts memory, which Python gives back late: it scales up and never down")
        wait = ((scaler["spec"].get("behavior") or {}).get("scaleUp") or {}).get("stabilizationWindowSeconds", 0)
        if wait > 30:
            yield Finding("autoscaler-slow", title(scaler), f"waits {wait} s before it helps")


def disruption(manifests: Manifests) -> Iterator[Finding]:
    """Nodes may be emptied one pod at a time, and a broken pod does not stop that."""
    budgets = manifests.of("PodDisruptionBudget")
    for budget in budgets:
        spec = budget["spec"]
        if spec.get("maxUnavailable") != 1 or spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield Finding("disruption-budget", title(budget), "is not maxUnavailable 1 with unhealthyPodEvictionPolicy AlwaysAllow")
        if not any(selects(spec.get("selector"), labels) for labels in _pod_labels(manifests)):
            yield Finding("disruption-budget", title(budget), "protects no pods of the set")
    for workload in manifests.workloads:
        if workload.kind == "Deployment" and not any(selects(budget["spec"].get("selector"), workload.labels) for budget in budgets):
            yield Finding("no-disruption-budget", workload.title, "may be emptied from all nodes at once")


def _pod_labels(manifests: Manifests) -> Iterator[Node]:
    yield from (workload.labels for workload in manifests.workloads)
    yield from ((pooler["spec"].get("template") or {}).get("metadata", {}).get("labels") or {} for pooler in manifests.of("Pooler"))


def services(manifests: Manifests) -> Iterator[Finding]:
    """A Service has pods, named ports, and no door of its own to the outside."""
    for service in manifests.of("Service"):
        spec = service["spec"]
        if spec.get("type", "ClusterIP") != "ClusterIP":
            yield Finding("service-type", title(service), "opens a door past the gateway")
        selected = [workload for workload in manifests.workloads if (spec.get("selector") or {}).items() <= workload.labels.items()]
        if not spec.get("selector") or not selected:
            yield Finding("service-selector", title(service), "selects no pods of the set")
        for port in spec.get("ports") or []:
            if "protocol" not in port:
                yield Finding("port-protocol", title(service), f"port {port.get('port')} names no protocol, which older server-side apply refuses")
            if selected and not any(_has_port(workload, port.get("targetPort", port.get("port"))) for workload in selected):
                yield Finding("service-port", title(service), f"leads to port {port.get('targetPort')}, which its pods do not have")


def _has_port(workload: Workload, wanted: Any) -> bool:
    ports = [port for container in workload.containers for port in container.get("ports") or []]
    return any(wanted in (port.get("name"), port.get("containerPort")) for port in ports)


def ingress(manifests: Manifests) -> Iterator[Finding]:
    """The class is a field, TLS is there, and annotations are none of a controller that is retired."""
    for document in manifests.of("Ingress"):
        annotations = document["metadata"].get("annotations") or {}
        if "kubernetes.io/ingress.class" in annotations or not document["spec"].get("ingressClassName"):
            yield Finding("ingress-class", title(document), "names its class by an annotation, or not at all; ingressClassName is the field")
        for name in annotations:
            if name.startswith("nginx.ingress.kubernetes.io/"):
                yield Finding("ingress-annotation", title(document), f"{name}: ingress-nginx is retired, and others ignore the annotation")
        secured = {host for entry in document["spec"].get("tls") or [] for host in entry.get("hosts") or []}
        for rule in document["spec"].get("rules") or []:
            if rule.get("host") not in secured:
                yield Finding("ingress-tls", title(document), f"serves {rule.get('host')} without TLS")
            for path in (rule.get("http") or {}).get("paths") or []:
                name = path["backend"]["service"]["name"]
                if not manifests.has("Service", name):
                    yield Finding("backend", title(document), f"sends {path.get('path')} to {name}, which is not in the set")
