"""The manifests and the rest of the repository say the same: settings, Prefect's variables, secrets, connections, room."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aquascene.adapters import settings
from aquascene.adapters.settings import Settings
from aquascene.adapters.settings_report import inspect
from deployments import server_settings, templates
from scripts import manifests as command
from scripts.manifests_rules import placeholders
from scripts.manifests_schema import NEWEST, problems
from scripts.manifests_set import Manifests, Node, Workload, read

K8S = Path(__file__).resolve().parents[2] / "k8s"
NAMES = ("ci", "production", "production-canary")
SETS = {name: Manifests(read(K8S / "rendered" / f"{name}.yaml")) for name in NAMES}
PRODUCTION = SETS["production"]
# What an installation adds: its own addresses and the key of SendGrid's webhook.
INSTALLATION = {
    "WEB__PUBLIC_URL": "https://tanks.news",
    "PUBLISHING__SITE_URL": "https://tanks.news",
    "NEWSLETTER__FROM_EMAIL": "letters@tanks.news",
    "NEWSLETTER__POSTAL_ADDRESS": "Tanks, Harbour Road 4, 20457 Hamburg",
    "FETCH__USER_AGENT": "TanksBot/1.0 (+https://tanks.news/bot)",
    "OBJECT_STORE_URL": "s3+https://s3.eu-central-1.amazonaws.com/tanks-site?region=eu-central-1",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
}
SECRETS = {
    "database_url": "postgresql://aquascene:pw@postgres-pooler-rw:5432/aquascene",
    "database_replica_url": "postgresql://aquascene:pw@postgres-pooler-ro:5432/aquascene",
    "redis_url": "redis://:pw@redis-master:6379/2",
    "jwt_secret": base64.b64encode(hashlib.sha384(b"a stand-in that looks random").digest()).decode(),
    "sendgrid_api_key": "SG.one",
    "prefect_api_auth_string": "operator:pw",
}


def one(kind: str, name: str, manifests: Manifests = PRODUCTION) -> Node:
    return next(document for document in manifests.of(kind) if document["metadata"]["name"] == name)


def config_map(name: str, manifests: Manifests = PRODUCTION) -> dict[str, str]:
    """The content of a generated ConfigMap, whose name may end in a hash."""
    found: dict[str, str] = next(entry["data"] for entry in manifests.of("ConfigMap") if re.fullmatch(rf"{name}(-[a-z0-9]{{10}})?", entry["metadata"]["name"]))
    return found


def as_in_a_pod(monkeypatch: pytest.MonkeyPatch, folder: Path, variables: dict[str, str]) -> None:
    for name, value in SECRETS.items():
        (folder / name).write_text(value)
    monkeypatch.setenv("SECRETS_DIR", str(folder))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.reset()


def production_settings() -> Settings:
    found = inspect().settings
    assert found is not None
    return found


def test_copies_are_of_the_sources_that_are_here() -> None:
    for name in command.COPIES:
        head = (K8S / "rendered" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert head.endswith(command.sources_hash()), "run `python -m scripts.manifests render`"


def test_prefects_variables_are_those_of_the_one_list() -> None:
    for path, text in command.derived().items():  # and the alerts are those of the stacks
        assert path.read_text(encoding="utf-8") == text, path
    server, services = config_map("prefect-server-env"), config_map("prefect-services-env")
    assert server_settings.environment("prefect-server").items() <= server.items()
    assert server_settings.environment("prefect-services").items() <= services.items()
    assert server_settings.DATABASE_TLS.items() <= server.items() & services.items()
    assert server_settings.environment("worker").items() <= config_map("prefect-worker-env").items()


@pytest.mark.parametrize("name", NAMES)
def test_the_worker_watches_its_own_namespace_only(name: str) -> None:
    namespace = SETS[name].of("Namespace")[0]["metadata"]["name"]
    assert config_map("prefect-worker-env", SETS[name])["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"] == namespace
    assert config_map("aquascene-config", SETS[name])["ORCHESTRATION__KUBERNETES_NAMESPACE"] == namespace


@pytest.mark.parametrize("name", NAMES)
def test_flow_runs_read_what_the_deployments_read(name: str) -> None:
    assert config_map("aquascene-config", SETS[name]) == config_map("aquascene-env", SETS[name])
    assert config_map("aquascene-config", SETS[name])["IMAGE"] == one("Job", "migrate", SETS[name])["spec"]["template"]["spec"]["containers"][0]["image"]


def test_the_smoke_test_wants_this_release_and_holds_nothing() -> None:
    smoke = next(workload for workload in PRODUCTION.workloads if workload.name == "smoke")
    assert smoke.containers[0]["args"][-2:] == ["--expect-digest", "$(IMAGE)"]  # put in by Kubernetes, from the ConfigMap
    assert {source["configMapRef"]["name"] for source in smoke.containers[0]["envFrom"]} <= {entry["metadata"]["name"] for entry in PRODUCTION.of("ConfigMap")}
    assert mounted(smoke) == []


def test_every_variable_is_a_setting() -> None:
    prefect = set(server_settings.COMMON) | {"WORK_POOL"}
    for name in set(config_map("aquascene-config")) - prefect:
        head, _, rest = name.lower().partition("__")
        assert head in Settings.model_fields, name
        if rest:
            group: Any = Settings.model_fields[head].annotation
            assert rest in group.model_fields, name


def test_the_reference_refuses_to_start_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config"))
    assert {finding.code for finding in inspect().findings} == {"example-address", "webhook-key"}


def test_with_an_installations_addresses_every_rule_of_production_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    report = inspect()
    assert [str(finding) for finding in report.findings] == []
    assert report.unchecked == []


def test_the_grace_is_longer_than_the_drain_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    drain = production_settings().web.drain_seconds
    for workload in PRODUCTION.workloads:
        if workload.labels["app.kubernetes.io/component"] == "web":
            wait = workload.containers[0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert workload.pod["terminationGracePeriodSeconds"] > wait + drain + 5
            ports = {port["name"]: port["containerPort"] for port in workload.containers[0]["ports"]}
            assert ports == {"http": production_settings().web.port, "metrics": production_settings().web.metrics_port}


def test_connections_fit_through_the_pooler_into_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    now = production_settings()
    pooler = one("Pooler", "postgres-pooler-rw")["spec"]
    given = {key: int(value) for key, value in pooler["pgbouncer"]["parameters"].items()}
    assert given["max_client_conn"] == now.database.max_connections  # of each pooler; one of them could carry all
    scalers = [
        entry["spec"]["maxReplicas"]
        for entry in PRODUCTION.of("HorizontalPodAutoscaler")
        if entry["metadata"]["labels"]["app.kubernetes.io/component"] == "web"
    ]
    assert sum(scalers) == now.scale.web_replicas  # both colours at their most
    server = one("HorizontalPodAutoscaler", "prefect-server")["spec"]["maxReplicas"]
    services = one("Deployment", "prefect-services")["spec"]["replicas"]
    variables = config_map("prefect-server-env")
    pools = [int(variables[f"PREFECT_SERVER_DATABASE_SQLALCHEMY_{name}"]) for name in ("POOL_SIZE", "MAX_OVERFLOW")]
    surge = 2  # a rollout has one pod more of each
    prefect = (server + services + surge) * sum(pools)
    product = pooler["instances"] * (given["default_pool_size"] + given["reserve_pool_size"])
    operators = 10  # the operator's own, replication, the exporter, a migration, a person
    cluster = one("Cluster", "postgres")["spec"]
    limit = int(cluster["postgresql"]["parameters"]["max_connections"])
    assert prefect + product + operators <= limit
    assert cluster["managed"]["roles"][0]["connectionLimit"] >= prefect


def test_names_that_clients_verify_are_in_the_certificate() -> None:
    poolers = {pooler["metadata"]["name"] for pooler in PRODUCTION.of("Pooler")}
    assert set(one("Cluster", "postgres")["spec"]["certificates"]["serverAltDNSNames"]) == poolers
    urls = " ".join(str(entry["spec"]["target"].get("template", {}).get("data")) for entry in PRODUCTION.of("ExternalSecret"))
    hosts = set(re.findall(r"@([\w-]+):(?:5432|6379|26379)/", urls))
    own = {f"{kind}-{suffix}" for kind, suffix in (("postgres", "rw"), ("redis", "master"), ("redis-sentinel", "sentinel"))}
    assert hosts == own | poolers


def test_the_role_has_the_time_outs_that_the_pooler_drops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    now = production_settings().database
    statements = one("Cluster", "postgres")["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"]
    assert statements == [
        f"ALTER ROLE aquascene SET statement_timeout = '{now.statement_timeout_ms // 1000}s'",
        f"ALTER ROLE aquascene SET lock_timeout = '{now.lock_timeout_ms // 1000}s'",
        "ALTER ROLE aquascene SET timezone = 'UTC'",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_sentinels_are_asked_for_the_name_that_they_watch(name: str) -> None:
    variables, sentinel = config_map("aquascene-config", SETS[name]), one("RedisSentinel", "redis-sentinel", SETS[name])["spec"]
    assert variables["REDIS__SENTINEL_NAME"] == sentinel["redisSentinelConfig"]["masterGroupName"]
    assert json.loads(variables["REDIS__SENTINEL_HOSTS"]) == ["redis-sentinel-sentinel:26379"]  # the Service that the operator makes of the name


def secret_keys(manifests: Manifests) -> dict[str, set[str]]:
    """What the external secrets of a set make, by the name of the Secret."""
    made = {}
    for entry in manifests.of("ExternalSecret"):
        target = entry["spec"]["target"]
        made[target["name"]] = set(target.get("template", {}).get("data") or {data["secretKey"]: "" for data in entry["spec"]["data"]})
    return made | {"postgres-ca": {"ca.crt", "ca.key"}}  # the operator's


@pytest.mark.parametrize("name", ["production", "production-canary"])
def test_every_secret_that_is_mounted_is_made(name: str) -> None:
    made = secret_keys(SETS[name])
    for workload in SETS[name].workloads:
        for secret in mounted(workload):
            assert {item["key"] for item in secret.get("items", [])} <= made[secret["name"]], workload.title
    for kind in ("Cluster", "ObjectStore", "RedisReplication", "RedisSentinel", "ServiceMonitor"):
        for document in SETS[name].of(kind):
            for secret, key in references(document["spec"]):
                assert secret in made, (document["metadata"]["name"], secret)
                assert key is None or key in made[secret]


def mounted(workload: Workload) -> list[Node]:
    return [source["secret"] for volume in workload.pod["volumes"] for source in volume.get("projected", {}).get("sources", []) if "secret" in source]


def references(value: Any) -> list[tuple[str, str | None]]:
    """Pairs of Secret and key that custom resources name."""
    if isinstance(value, list):
        return [found for inner in value for found in references(inner)]
    if not isinstance(value, dict):
        return []
    own: list[tuple[str, str | None]] = [(value["name"], value["key"])] if set(value) == {"name", "key"} else []
    own += [(value[name]["name"], None) for name in ("secret", "passwordSecret") if set(value.get(name) or {}) == {"name"}]
    return own + [found for inner in value.values() for found in references(inner)]


def test_prefects_roles_see_their_secret_files() -> None:
    made = secret_keys(PRODUCTION)
    roles: dict[server_settings.Role, str] = {
        "prefect-server": "prefect-server",
        "prefect-services": "prefect-services",
        "worker": "prefect-worker",
        "apply": "apply",
        "migrate": "migrate",
    }
    for role, name in roles.items():
        workload = next(entry for entry in PRODUCTION.workloads if entry.name == name)
        seen = {found for secret in mounted(workload) for found in ({item["path"] for item in secret["items"]} if "items" in secret else made[secret["name"]])}
        assert set(server_settings.SECRETS[role]) <= seen, role
    assert made["prefect-server-secrets"] == set(server_settings.SECRETS["prefect-server"])


def test_sops_makes_the_same_secrets() -> None:
    template = {document["metadata"]["name"]: set(document["stringData"]) for document in read(K8S / "components/sops/secrets.template.yaml")}
    assert template | {"postgres-ca": {"ca.crt", "ca.key"}} == secret_keys(PRODUCTION)


def test_what_prefects_servers_hold_no_flow_run_sees() -> None:
    assert one("ExternalSecret", "aquascene-secrets")["metadata"]["name"] == config_map("aquascene-config")["ORCHESTRATION__KUBERNETES_SECRET"]
    shared = secret_keys(PRODUCTION)["aquascene-secrets"] & set(server_settings.SECRETS["prefect-server"])
    assert shared == set()


def test_flow_pods_fit_the_namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    now = production_settings()
    filled = templates.base_job_template(now)
    job = json.loads(json.dumps(filled["job_configuration"]["job_manifest"]).replace("{{ image }}", now.image))
    pod = job["spec"]["template"]["spec"]
    account = pod["serviceAccountName"]
    assert one("ServiceAccount", account)["automountServiceAccountToken"] is False
    assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "flow-run"  # the name in the network policies
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert config_map(pod["containers"][0]["envFrom"][0]["configMapRef"]["name"])
    authority = pod["volumes"][0]["projected"]["sources"][1]["secret"]
    assert f"/run/secrets/{authority['items'][0]['path']}" == now.database.ssl_root_cert


def quantity(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * {"": 1, "m": 0.001, "Mi": 2**20, "Gi": 2**30}[unit]


def test_the_quota_has_room_for_everything_at_its_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_in_a_pod(monkeypatch, tmp_path, config_map("aquascene-config") | INSTALLATION)
    now = production_settings()
    most = {entry["spec"]["scaleTargetRef"]["name"]: entry["spec"]["maxReplicas"] for entry in PRODUCTION.of("HorizontalPodAutoscaler")}
    asked = [(most.get(entry.name, entry.spec.get("replicas", 1)) + 1, entry.containers[0]["resources"]) for entry in PRODUCTION.workloads]
    run = f"{now.orchestration.run_memory_mb}Mi"
    asked.append((now.scale.flow_runs, {"requests": {"cpu": "250m", "memory": f"{now.orchestration.run_memory_mb // 2}Mi"}, "limits": {"memory": run}}))
    asked += [(entry["spec"]["instances"], entry["spec"]["resources"]) for entry in PRODUCTION.of("Cluster")]
    asked += [(entry["spec"]["instances"], entry["spec"]["template"]["spec"]["containers"][0]["resources"]) for entry in PRODUCTION.of("Pooler")]
    asked += [(entry["spec"]["clusterSize"], entry["spec"]["kubernetesConfig"]["resources"]) for entry in PRODUCTION.of("RedisReplication", "RedisSentinel")]
    hard = one("ResourceQuota", "aquascene")["spec"]["hard"]
    for part, kind in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        wanted = sum(count * quantity(resources[part][kind]) for count, resources in asked)
        assert wanted <= quantity(hard[f"{part}.{kind}"]), (part, kind, wanted)
    assert sum(count for count, _ in asked) <= int(hard["pods"])


def test_a_copy_is_no_release() -> None:
    assert {finding.code for finding in placeholders(PRODUCTION)} == {"placeholder"}


@pytest.mark.parametrize("image", ["ghcr.io/example/aquascene:1.2.0", "aquascene", f"ghcr.io/example/aquascene@sha256:{'0' * 64}", "@sha256:" + "1" * 64])
def test_a_release_is_named_by_its_digest(image: str) -> None:
    with pytest.raises(SystemExit, match="name it as registry/name@sha256"):
        command.release("kustomize", "production", image)


def test_the_release_reaches_every_place_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the script hands to kustomize; the build itself is checked where kustomize is (`python -m scripts.manifests check`)."""
    seen: dict[str, Any] = {}

    def build(_: str, folder: Path) -> str:
        seen["release"] = yaml.safe_load((folder.parents[1] / "components/release/kustomization.yaml").read_text())["images"]
        seen.update(yaml.safe_load((folder / "kustomization.yaml").read_text()))
        return "built"

    monkeypatch.setattr(command, "build", build)
    digest = "sha256:" + "ab" * 32
    assert command.release("kustomize", "production", f"ghcr.io/example/aquascene@{digest}") == "built"
    assert seen["release"] == [{"name": "aquascene", "newName": "ghcr.io/example/aquascene", "digest": digest}]
    assert {"pairs": {"aquascene.example/release": "ababababab"}, "includeTemplates": True} in seen["labels"]
    renamed = [yaml.safe_load(patch["patch"])[0]["value"] for patch in seen["patches"] if patch["target"]["kind"] == "Job"]
    assert renamed == ["migrate-ababababab", "apply-ababababab", "smoke-ababababab"]
    assert "registry.invalid" in (K8S / "components/release/kustomization.yaml").read_text(encoding="utf-8")  # the repository is left as it was


def test_what_a_cluster_has_once_is_valid_and_used() -> None:
    cluster = Manifests(read(K8S / "rendered" / "cluster.yaml"))
    assert [problem for document in cluster.documents for problem in problems(document, NEWEST)] == []
    assert one("Certificate", "aquascene-tls")["spec"]["issuerRef"]["name"] in {entry["metadata"]["name"] for entry in cluster.of("ClusterIssuer")}
    assert one("Gateway", "aquascene")["spec"]["gatewayClassName"] in {entry["metadata"]["name"] for entry in cluster.of("GatewayClass")}
    selected = one("ValidatingAdmissionPolicy", "aquascene-images-by-digest", cluster)["spec"]["matchConstraints"]["objectSelector"]["matchExpressions"][0][
        "values"
    ]
    assert set(selected) == {workload.labels["app.kubernetes.io/component"] for workload in PRODUCTION.workloads} | {"flow-run"}
    assert one("ValidatingAdmissionPolicyBinding", "aquascene-images-by-digest", cluster)["spec"]["validationActions"] == ["Deny", "Audit"]
    classes = {entry["metadata"]["name"] for entry in cluster.of("PriorityClass")}
    used = set(re.findall(r"'priorityClassName': '([\w-]+)'", str(PRODUCTION.documents)))
    assert used == classes
