"""Rules for custom resources: routes, databases, Redis, rollouts. What their schemas cannot say."""

import re
from collections.abc import Iterator
from typing import Any

from scripts.manifests_pods import image
from scripts.manifests_set import Finding, Manifests, Node, title

_ZONE = "topology.kubernetes.io/zone"
_PLUGIN = "barman-cloud.cloudnative-pg.io"


def routes(manifests: Manifests) -> Iterator[Finding]:
    """Every rule has somewhere to go, weights add up, and what is not encrypted is sent away."""
    listeners = {(gateway["metadata"]["name"], entry["name"]): entry for gateway in manifests.of("Gateway") for entry in gateway["spec"]["listeners"]}
    for route in manifests.of("HTTPRoute"):
        plain = any((listeners.get((parent["name"], parent.get("sectionName"))) or {}).get("protocol") != "HTTPS" for parent in route["spec"]["parentRefs"])
        for rule in route["spec"].get("rules") or []:
            where = f"{title(route)}.{rule.get('name')}"
            redirects = any((entry.get("requestRedirect") or {}).get("scheme") == "https" for entry in rule.get("filters") or [])
            if plain and not redirects:
                yield Finding("plain-route", where, "answers without TLS; redirect to https")
            if not plain:
                yield from _backends(manifests, rule, where)


def _backends(manifests: Manifests, rule: Node, where: str) -> Iterator[Finding]:
    backends = rule.get("backendRefs") or []
    for backend in backends:
        if not manifests.has("Service", backend["name"]):
            yield Finding("backend", where, f"sends requests to {backend['name']}, which is not in the set")
    if sum(backend.get("weight", 1) for backend in backends) != 100:
        yield Finding("weights", where, "its weights do not add up to 100")
    headers = [entry["name"] for found in rule.get("filters") or [] for entry in (found.get("responseHeaderModifier") or {}).get("set") or []]
    if "Strict-Transport-Security" not in headers:
        yield Finding("hsts", where, "does not tell browsers to stay with TLS")


def gateways(manifests: Manifests) -> Iterator[Finding]:
    """TLS 1.2 at least, a certificate that is renewed, and a limit at the door."""
    for gateway in manifests.of("Gateway"):
        policies = [policy for policy in manifests.of("ClientTrafficPolicy") if _aims(policy, gateway)]
        if not any((policy["spec"].get("tls") or {}).get("minVersion") in {"1.2", "1.3"} for policy in policies):
            yield Finding("tls-version", title(gateway), "does not say that it wants TLS 1.2 at least")
        for listener in gateway["spec"]["listeners"]:
            for reference in (listener.get("tls") or {}).get("certificateRefs") or []:
                if not any(certificate["spec"]["secretName"] == reference["name"] for certificate in manifests.of("Certificate")):
                    yield Finding("certificate", title(gateway), f"nobody renews {reference['name']}")
        if not any(policy["spec"].get("rateLimit") for policy in manifests.of("BackendTrafficPolicy")):
            yield Finding("rate-limit", title(gateway), "lets in any number of requests")


def _aims(policy: Node, target: Node) -> bool:
    return any(reference["name"] == target["metadata"]["name"] for reference in policy["spec"].get("targetRefs") or [])


def databases(manifests: Manifests) -> Iterator[Finding]:
    """A database is owned by the product, backed up continuously, and its log has a disk of its own."""
    for cluster in manifests.of("Cluster"):
        spec, where = cluster["spec"], title(cluster)
        yield from image(str(spec.get("imageName") or ""), where)
        if (spec.get("bootstrap") or {}).get("initdb", {}).get("owner") in {None, "postgres"} or spec.get("enableSuperuserAccess") is not False:
            yield Finding("database-owner", where, "is owned by the superuser, or lets one in")
        if not spec.get("walStorage"):
            yield Finding("wal-storage", where, "keeps its log on the disk of its data: one fills the other")
        yield from _backups(manifests, cluster)
        if spec.get("instances", 1) > 1:
            yield from zones(where, spec.get("topologySpreadConstraints"))


def _backups(manifests: Manifests, cluster: Node) -> Iterator[Finding]:
    where = title(cluster)
    archivers = [plugin for plugin in cluster["spec"].get("plugins") or [] if plugin["name"] == _PLUGIN and plugin.get("isWALArchiver")]
    stores = {(plugin.get("parameters") or {}).get("barmanObjectName") for plugin in archivers}
    if not stores or not all(manifests.has("ObjectStore", store) for store in stores):
        yield Finding("wal-archive", where, "archives no write-ahead log into an ObjectStore of the set")
    if not any(backup["spec"]["cluster"]["name"] == cluster["metadata"]["name"] for backup in manifests.of("ScheduledBackup")):
        yield Finding("base-backup", where, "has no ScheduledBackup: a log without a base backup restores nothing")
    for store in manifests.of("ObjectStore"):
        if not store["spec"].get("retentionPolicy"):
            yield Finding("retention", title(store), "keeps backups for ever")


def zones(where: str, constraints: Any) -> Iterator[Finding]:
    """Copies of data lie in three zones."""
    zone: Node = next((entry for entry in constraints or [] if entry.get("topologyKey") == _ZONE), {})
    if (zone.get("maxSkew"), zone.get("minDomains"), zone.get("whenUnsatisfiable")) != (1, 3, "DoNotSchedule"):
        yield Finding("zone-spread", where, "is not spread evenly over three zones")


def redis(manifests: Manifests) -> Iterator[Finding]:
    """Prefect's messages are evicted by nothing; Sentinels or a cluster, not both."""
    if manifests.of("RedisCluster") and manifests.of("RedisSentinel"):
        yield Finding("redis-modes", "set", "has a Redis cluster and Sentinels; a client speaks to one of them")
    for document in manifests.of("RedisReplication", "RedisSentinel", "RedisCluster"):
        spec, where = document["spec"], title(document)
        for part in ("kubernetesConfig", "redisExporter"):
            if part in spec:
                yield from image(str(spec[part].get("image") or ""), f"{where}.{part}")
        if document["kind"] != "RedisSentinel" and "noeviction" not in _redis_text(manifests, spec):
            yield Finding("redis-eviction", where, "may evict what Prefect's messaging and locks keep in it; maxmemory-policy noeviction")
        if spec.get("clusterSize", 1) > 1:
            yield from zones(where, spec.get("topologySpreadConstraints"))
        contexts = (spec.get("podSecurityContext") or {}, spec.get("securityContext") or {})
        if contexts[0].get("runAsNonRoot") is not True or (contexts[1].get("capabilities") or {}).get("drop") != ["ALL"]:
            yield Finding("user", where, "does not fit the restricted namespace: no podSecurityContext and securityContext that say so")


def _redis_text(manifests: Manifests, spec: Node) -> str:
    config = spec.get("redisConfig") or {}
    named = [document for document in manifests.of("ConfigMap") if document["metadata"]["name"] == config.get("additionalRedisConfig")]
    return " ".join([*map(str, config.get("dynamicConfig") or []), *(str(document.get("data")) for document in named)])


def rollouts(manifests: Manifests) -> Iterator[Finding]:
    """A canary moves traffic and not only pods, and every weight is judged by a template that exists."""
    for rollout in manifests.of("Rollout"):
        canary, where = (rollout["spec"].get("strategy") or {}).get("canary") or {}, title(rollout)
        services = [canary.get("stableService"), canary.get("canaryService")]
        if not canary.get("trafficRouting") or not all(manifests.has("Service", name) for name in services):
            yield Finding("canary-traffic", where, "routes no traffic: its weights become numbers of pods")
        if not canary.get("abortScaleDownDelaySeconds") or not rollout["spec"].get("rollbackWindow"):
            yield Finding("canary-back", where, "says neither how long an aborted canary stays nor how to go back fast")
        if ("Rollout", rollout["metadata"]["name"]) in manifests.scaled and "replicas" in rollout["spec"]:
            yield Finding("replicas", where, "says a number of replicas, which an autoscaler owns: every apply undoes its work")
        yield from _judgement(manifests, canary, where)


def _judgement(manifests: Manifests, canary: Node, where: str) -> Iterator[Finding]:
    if "analysis" in canary and "startingStep" not in canary["analysis"]:
        yield Finding("canary-background", where, "is judged from the first second, before it has any traffic")
    steps = canary.get("steps") or []
    if steps and "analysis" not in steps[-1]:
        yield Finding("canary-end", where, "judges nothing after the last weight")
    for name in sorted(set(re.findall(r"'templateName': '([^']+)'", str(canary)))):
        if not manifests.has("AnalysisTemplate", name):
            yield Finding("analysis-template", where, f"is judged by {name}, which is not in the set")


def analyses(manifests: Manifests) -> Iterator[Finding]:
    """An analysis says when it has seen enough."""
    for template in manifests.of("AnalysisTemplate"):
        for metric in template["spec"]["metrics"]:
            if not {"failureLimit", "consecutiveErrorLimit", "inconclusiveLimit"} <= set(metric):
                yield Finding("analysis-limits", f"{title(template)}.{metric['name']}", "does not say how often it may fail, err or know nothing")
