"""The rendered Kubernetes manifests, line by line: what every pod, policy and data service of them keeps to.

The tests read the reference copies in k8s/rendered, so they need no kustomize; test_manifests_fit says when one is stale.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.manifests import COPIES
from scripts.manifests_rules import findings, readable, single_zone
from scripts.manifests_schema import NEWEST, OLDEST, problems
from scripts.manifests_set import Manifests, Node, Workload, read, words

RENDERED = Path(__file__).resolve().parents[2] / "k8s" / "rendered"
NAMES = ("ci", "production", "production-canary")
SETS = {name: Manifests(read(RENDERED / f"{name}.yaml")) for name in NAMES}
PRODUCTION = SETS["production"]

each_set = pytest.mark.parametrize("manifests", SETS.values(), ids=SETS)
each_pod = pytest.mark.parametrize(
    "workload",
    [workload for manifests in SETS.values() for workload in manifests.workloads],
    ids=[f"{name}-{w.name}" for name in NAMES for w in SETS[name].workloads],
)


def one(kind: str, name: str, manifests: Manifests = PRODUCTION) -> Node:
    return next(document for document in manifests.of(kind) if document["metadata"]["name"] == name)


def deployments(manifests: Manifests) -> list[Workload]:
    return [workload for workload in manifests.workloads if workload.kind == "Deployment"]


@each_set
def test_every_set_keeps_the_rules(manifests: Manifests) -> None:
    assert [str(finding) for finding in findings(manifests)] == []


@pytest.mark.parametrize("minor", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", COPIES)
def test_every_object_fits_its_strict_schema(name: str, minor: str) -> None:
    assert [str(problem) for document in read(RENDERED / f"{name}.yaml") for problem in problems(document, minor)] == []


@pytest.mark.parametrize("path", sorted((RENDERED.parent / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_schemas_of_custom_resources_say_where_they_come_from(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r'"\$comment": "Written from the field reference at https://\S+;', text)
    assert text.count('"type": "object", "additionalProperties": false') + text.count('"additionalProperties": false') > 1


# ---- every pod (section 5 of the deployment notes)


@each_pod
def test_runs_as_a_number_of_its_own_and_never_as_root(workload: Workload) -> None:
    assert (
        workload.pod["securityContext"] | {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001} == workload.pod["securityContext"]
    )
    assert all(container["securityContext"]["runAsNonRoot"] for container in workload.containers)


@each_pod
def test_keeps_no_capability_and_gains_no_privilege(workload: Workload) -> None:
    for container in workload.containers:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["privileged"] is False


@each_pod
def test_seccomp_is_the_runtimes(workload: Workload) -> None:
    assert workload.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


@each_pod
def test_writes_to_bounded_folders_only(workload: Workload) -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in workload.containers[0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
    assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in workload.containers)
    for path in ("/tmp", "/var/lib/aquascene"):
        assert volumes[mounts[path]]["emptyDir"]["sizeLimit"]


@each_pod
def test_has_an_account_of_its_own_and_no_token_by_itself(workload: Workload) -> None:
    assert workload.pod["automountServiceAccountToken"] is False
    assert workload.pod["serviceAccountName"] != "default"
    tokens = [source for volume in workload.pod["volumes"] for source in volume.get("projected", {}).get("sources", []) if "serviceAccountToken" in source]
    assert bool(tokens) == (workload.name == "prefect-worker")


@each_pod
def test_asks_for_resources_and_has_a_memory_limit(workload: Workload) -> None:
    for container in workload.containers:
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert container["resources"]["limits"]["memory"] in {"512Mi", "768Mi", "1Gi"}  # 512 MB to 1 GB, says the matrix


@each_pod
def test_image_is_ours_by_digest_and_not_pulled_twice(workload: Workload) -> None:
    for container in workload.containers:
        assert re.fullmatch(r"registry\.invalid/aquascene@sha256:[0-9a-f]{64}", container["image"])
        assert container["imagePullPolicy"] == "IfNotPresent"


@each_pod
def test_secrets_are_files_and_only_those_that_are_needed(workload: Workload) -> None:
    for container in workload.containers:
        assert not any("secretRef" in source for source in container.get("envFrom", []))
        assert not any("valueFrom" in variable for variable in container.get("env", []))
    items = [source["secret"] for volume in workload.pod["volumes"] for source in volume.get("projected", {}).get("sources", []) if "secret" in source]
    whole = {secret["name"] for secret in items if "items" not in secret}
    assert whole <= {"apply": {"aquascene-secrets"}, "prefect-server": {"prefect-server-secrets"}, "prefect-services": {"prefect-server-secrets"}}.get(
        workload.name, set()
    )


@each_pod
def test_names_of_services_are_no_variables(workload: Workload) -> None:
    assert workload.pod["enableServiceLinks"] is False


@each_set
def test_grace_is_longer_than_everything_that_happens_in_it(manifests: Manifests) -> None:
    for workload in deployments(manifests):
        wait = workload.containers[0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = 10 if workload.labels["app.kubernetes.io/component"] == "web" else 0  # web.drain_seconds, see test_manifests_fit
        assert workload.pod["terminationGracePeriodSeconds"] > wait + drain + 5


@each_set
def test_ready_alive_and_started_are_three_questions(manifests: Manifests) -> None:
    for workload in deployments(manifests):
        container = workload.containers[0]
        if workload.labels["app.kubernetes.io/component"] == "web":
            asked = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
            assert asked == ["/startupz", "/readyz", "/livez"]
        if workload.name == "prefect-server":
            assert container["readinessProbe"]["httpGet"]["path"] == "/api/ready"
            assert container["livenessProbe"]["httpGet"]["path"] == "/api/health"


@each_set
def test_jobs_end_and_are_cleared_away(manifests: Manifests) -> None:
    jobs = [workload for workload in manifests.workloads if workload.kind == "Job"]
    assert {job.name for job in jobs} == {"migrate", "apply", "smoke"}
    for job in jobs:
        assert job.spec["ttlSecondsAfterFinished"] > 0
        assert job.spec["activeDeadlineSeconds"] <= 1800


# ---- many of one kind


@each_set
def test_budgets_let_nodes_be_emptied(manifests: Manifests) -> None:
    for budget in manifests.of("PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("name", ["production", "production-canary"])
def test_everything_that_stays_is_spread_over_three_zones_and_hosts(name: str) -> None:
    for workload in deployments(SETS[name]):
        zone, host = workload.pod["topologySpreadConstraints"]
        assert (zone["topologyKey"], zone["maxSkew"], zone["minDomains"]) == ("topology.kubernetes.io/zone", 1, 3)
        assert host["topologyKey"] == "kubernetes.io/hostname"
        for constraint in (zone, host):
            assert constraint["labelSelector"]["matchLabels"].items() <= workload.labels.items()
            assert constraint["matchLabelKeys"] in (["pod-template-hash"], ["rollouts-pod-template-hash"])
    for kind in ("Cluster", "Pooler", "RedisReplication", "RedisSentinel"):
        for document in SETS[name].of(kind):
            assert "'minDomains': 3" in str(document["spec"]), document["metadata"]["name"]


def test_one_zone_is_said_and_not_assumed() -> None:
    assert {name for name in NAMES if single_zone(SETS[name])} == {"ci"}


@each_set
def test_autoscalers_act_at_once_and_own_the_number(manifests: Manifests) -> None:
    scalers = manifests.of("HorizontalPodAutoscaler")
    assert {document["metadata"]["labels"]["app.kubernetes.io/component"] for document in scalers} == {"web", "prefect-server"}
    for scaler in scalers:
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in one(target["kind"], target["name"], manifests)["spec"]
        assert scaler["spec"]["behavior"]["scaleUp"]["stabilizationWindowSeconds"] <= 30
        assert [metric["resource"]["name"] for metric in scaler["spec"]["metrics"]] == ["cpu"]


@each_set
def test_nothing_is_allowed_by_default(manifests: Manifests) -> None:
    deny = one("NetworkPolicy", "default-deny", manifests)["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@each_set
def test_ways_to_the_internet_leave_out_private_networks_and_metadata(manifests: Manifests) -> None:
    blocks = [
        peer["ipBlock"]
        for policy in manifests.of("NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if peer.get("ipBlock", {}).get("cidr") in {"0.0.0.0/0", "2000::/3"}
    ]
    assert len(blocks) == 6  # web, flow runs, the database's backups; each for IPv4 and IPv6
    assert len({tuple(block["except"]) for block in blocks}) == 2  # all of them the same
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(blocks[0]["except"])


@each_set
def test_every_pod_that_a_policy_names_exists(manifests: Manifests) -> None:
    known = {workload.labels.get("app.kubernetes.io/component") for workload in manifests.workloads} | {"flow-run"}
    named = {value for policy in manifests.of("NetworkPolicy") for value in _components(policy["spec"])}
    assert named <= known


def _components(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for inner in value for found in _components(inner)]
    if not isinstance(value, dict):
        return []
    own = [value["app.kubernetes.io/component"]] if "app.kubernetes.io/component" in value else []
    own += value["values"] if value.get("key") == "app.kubernetes.io/component" else []
    return own + [found for inner in value.values() for found in _components(inner)]


@each_set
def test_the_worker_may_create_jobs_and_little_else(manifests: Manifests) -> None:
    assert not manifests.of("ClusterRole", "ClusterRoleBinding")
    (role,) = manifests.of("Role")
    assert {(resource, tuple(rule["verbs"])) for rule in role["rules"] for resource in rule["resources"]} == {
        ("jobs", ("create", "get", "list", "watch", "delete")),
        ("pods", ("get", "list", "watch")),
        ("pods/log", ("get",)),
        ("events", ("create", "get", "list", "watch")),
    }
    (binding,) = manifests.of("RoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == ["prefect-worker"]
    assert all(account["automountServiceAccountToken"] is False for account in manifests.of("ServiceAccount"))


@each_set
def test_the_namespace_is_restricted_and_bounded(manifests: Manifests) -> None:
    labels = manifests.of("Namespace")[0]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{level}"] for level in ("enforce", "audit", "warn")} == {"restricted"}
    assert manifests.of("ResourceQuota")
    assert manifests.of("LimitRange")


@each_set
def test_every_object_names_its_namespace_and_phase(manifests: Manifests) -> None:
    spaces = {document["metadata"].get("namespace") for document in manifests.documents if document["kind"] != "Namespace"}
    assert spaces == {manifests.of("Namespace")[0]["metadata"]["name"]}
    phases = {document["metadata"]["labels"]["aquascene.example/phase"] for document in manifests.documents}
    assert phases == {"setup", "migrate", "serve", "register", "verify"}


@each_set
def test_no_variable_is_left_and_every_port_names_its_protocol(manifests: Manifests) -> None:
    assert not [word for document in manifests.documents for word in words(document) if "${" in word]
    ports = [port for service in manifests.of("Service") for port in service["spec"]["ports"]]
    ports += [port for workload in manifests.workloads for container in workload.containers for port in container.get("ports", [])]
    assert all(port["protocol"] == "TCP" for port in ports)


def test_no_secret_is_in_git() -> None:
    assert not [secret for manifests in SETS.values() for secret in manifests.of("Secret")]
    secrets = [document for path in (RENDERED.parent / "components").rglob("*.yaml") for document in read(path) if isinstance(document, dict)]
    templates = [document for document in secrets if document.get("kind") == "Secret"]
    assert templates  # of SOPS: names without values
    assert not [value for document in templates for part in ("data", "stringData") for value in (document.get(part) or {}).values() if readable(value)]


# ---- ways in


def test_the_routes_of_the_requirement_are_there() -> None:
    rules = one("HTTPRoute", "web")["spec"]["rules"]
    paths = {match["path"]["value"] for rule in rules for match in rule["matches"]}
    assert {"/api/v1/content", "/api/v1/generate", "/api/v1/subscribers", "/webhooks", "/desk", "/dashboard", "/"} <= paths
    backends = {str(rule["backendRefs"]) for rule in rules}
    assert len(backends) == 1  # one change moves all weights
    assert [(backend["name"], backend["weight"]) for backend in rules[0]["backendRefs"]] == [("web", 100), ("web-preview", 0)]


def test_http_is_sent_to_https_and_browsers_remember_it() -> None:
    (redirect,) = one("HTTPRoute", "to-https")["spec"]["rules"]
    assert redirect["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}
    assert "Strict-Transport-Security" in str(one("HTTPRoute", "web"))
    assert one("ClientTrafficPolicy", "aquascene")["spec"]["tls"]["minVersion"] == "1.2"
    assert set(one("Certificate", "aquascene-tls")["spec"]["dnsNames"]) == set(one("HTTPRoute", "web")["spec"]["hostnames"])
    assert one("BackendTrafficPolicy", "web")["spec"]["rateLimit"]["local"]["rules"]


def test_without_a_gateway_an_ingress_has_the_same_ways_in() -> None:
    (ingress,) = SETS["ci"].of("Ingress")
    assert ingress["spec"]["ingressClassName"]
    paths = {path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]}
    assert {"/", "/api/v1/content", "/api/v1/generate", "/api/v1/subscribers"} <= paths


def test_blue_and_green_are_two_of_everything_and_services_choose() -> None:
    colours = {workload.labels["aquascene.example/color"]: workload for workload in deployments(PRODUCTION) if "aquascene.example/color" in workload.labels}
    assert set(colours) == {"blue", "green"}
    blue, green = (str(colours[colour].node).replace(colour, "COLOUR") for colour in ("blue", "green"))
    assert blue == green
    assert one("Service", "web")["spec"]["selector"]["aquascene.example/color"] == "blue"
    assert one("Service", "web-preview")["spec"]["selector"]["aquascene.example/color"] == "green"
    assert {target for kind, target in PRODUCTION.scaled if kind == "Deployment"} == {"web-blue", "web-green", "prefect-server"}


def test_a_canary_is_judged_after_every_weight() -> None:
    canary = one("Rollout", "web", SETS["production-canary"])["spec"]["strategy"]["canary"]
    assert [step["setWeight"] for step in canary["steps"] if "setWeight" in step] == [10, 25, 50, 100]
    assert [step["pause"]["duration"] for step in canary["steps"] if "pause" in step][:3] == ["5m", "10m", "10m"]
    assert sum("analysis" in step for step in canary["steps"]) == 4
    assert "analysis" in canary["steps"][-1]


# ---- data


def test_the_database_is_backed_up_continuously_and_owned_by_the_product() -> None:
    spec = one("Cluster", "postgres")["spec"]
    (plugin,) = spec["plugins"]
    assert plugin["isWALArchiver"] is True
    assert one("ObjectStore", plugin["parameters"]["barmanObjectName"])["spec"]["retentionPolicy"] == "30d"
    assert len(one("ScheduledBackup", "postgres-nightly")["spec"]["schedule"].split()) == 6
    assert spec["postgresql"]["parameters"]["archive_timeout"] == "60s"
    assert spec["bootstrap"]["initdb"]["owner"] == "aquascene"
    assert spec["enableSuperuserAccess"] is False
    assert spec["instances"] == 3
    assert spec["walStorage"]["size"]
    assert one("Database", "prefect")["spec"]["extensions"] == [{"name": "pg_trgm", "ensure": "present"}]
    assert {
        monitor["spec"]["selector"]["matchLabels"].get("cnpg.io/cluster")
        for monitor in PRODUCTION.of("PodMonitor")
        if "matchLabels" in monitor["spec"]["selector"]
    } >= {"postgres"}


def test_redis_forgets_nothing_and_sentinels_choose() -> None:
    assert "maxmemory-policy noeviction" in one("ConfigMap", "redis-config")["data"]["redis-additional.conf"]
    sentinel = one("RedisSentinel", "redis-sentinel")["spec"]
    assert sentinel["redisSentinelConfig"]["redisReplicationName"] == "redis"
    assert sentinel["redisSentinelConfig"]["quorum"] == "2"
    assert not PRODUCTION.of("RedisCluster")


@each_set
def test_images_of_others_have_an_exact_version(manifests: Manifests) -> None:
    others = {word for kind in ("Cluster", "Pooler", "RedisReplication", "RedisSentinel") for document in manifests.of(kind) for word in _images(document)}
    assert len(others) == 5
    for image in others:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", image), image


def _images(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for inner in value for found in _images(inner)]
    if not isinstance(value, dict):
        return []
    return [found for key, inner in value.items() for found in ([inner] if key in {"image", "imageName"} else _images(inner))]
