"""Rules for pods: who they run as, what they may write, how they start, drain and are spread."""

import re
from collections.abc import Iterator

from scripts.manifests_set import Finding, Manifests, Node, Workload

OURS = re.compile(r"(^|/)aquascene(@|:|$)")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_EXACT = re.compile(r":[^/@]*\d+\.\d+[^/@]*(@sha256:[0-9a-f]{64})?$")
_SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|AUTH_STRING|_KEY|CREDENTIAL)")
_OLD_ZONE = "failure-domain.beta.kubernetes.io"
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
# The time that uvicorn and Prefect take for the last answers after they were told to stop.
_LAST_ANSWERS = 5


def image(reference: str, where: str) -> Iterator[Finding]:
    """Ours by digest; others by an exact version."""
    if OURS.search(reference.partition("@")[0]) and not _DIGEST.search(reference):
        yield Finding("image-digest", where, f"{reference} is not named by its digest: what runs is not what was tested")
    elif not (_DIGEST.search(reference) or _EXACT.search(reference)) or ":latest" in reference:
        yield Finding("image-version", where, f"{reference} is no exact version")


def identity(workload: Workload) -> Iterator[Finding]:
    """No root, no rights, no token."""
    pod = workload.pod
    security = pod.get("securityContext") or {}
    if security.get("runAsNonRoot") is not True or int(security.get("runAsUser") or 0) < 10000:
        yield Finding("user", workload.title, "does not say that it runs as a number of its own, 10000 or more, and never as root")
    if (security.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield Finding("seccomp", workload.title, "has no seccomp profile RuntimeDefault")
    if pod.get("automountServiceAccountToken") is not False:
        yield Finding("token", workload.title, "mounts a token for the Kubernetes API without being asked")
    if pod.get("serviceAccountName") in {None, "default"}:
        yield Finding("service-account", workload.title, "has no service account of its own")
    if pod.get("enableServiceLinks") is not False:
        yield Finding("service-links", workload.title, "gets variables made of the names of services, which are taken for settings")
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")) or any("hostPath" in volume for volume in pod.get("volumes") or []):
        yield Finding("host", workload.title, "shares something with its node")
    for container in workload.containers:
        yield from container_rights(workload, container)


def container_rights(workload: Workload, container: Node) -> Iterator[Finding]:
    """What a container does without."""
    where, security = f"{workload.title}.{container['name']}", container.get("securityContext") or {}
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield Finding("privileges", where, "may gain privileges")
    if (security.get("capabilities") or {}).get("drop") != ["ALL"] or (security.get("capabilities") or {}).get("add"):
        yield Finding("capabilities", where, "keeps capabilities")
    if security.get("readOnlyRootFilesystem") is not True:
        yield Finding("read-only", where, "can write to its root file system")


def files(workload: Workload, manifests: Manifests) -> Iterator[Finding]:
    """Bounded places to write; secrets as files; nothing that is not there."""
    for volume in workload.pod.get("volumes") or []:
        where = f"{workload.title}.{volume['name']}"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield Finding("size-limit", where, "may fill the disk of its node")
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim and not manifests.has("PersistentVolumeClaim", claim):
            yield Finding("claim", where, f"mounts {claim}, which is declared nowhere; shared code belongs into the image")
    for container in workload.containers:
        where = f"{workload.title}.{container['name']}"
        for variable in container.get("env") or []:
            if "secretKeyRef" in (variable.get("valueFrom") or {}) or ("value" in variable and _is_secret(variable)):
                yield Finding("secret-in-environment", f"{where}.{variable['name']}", "is a secret in the environment; mount it as a file")
        for source in container.get("envFrom") or []:
            if "secretRef" in source:
                yield Finding("secret-in-environment", where, f"takes the whole secret {source['secretRef'].get('name')} as variables; mount files")
            name = (source.get("configMapRef") or {}).get("name")
            if name and not manifests.has("ConfigMap", name):
                yield Finding("config-map", where, f"reads the ConfigMap {name}, which is not in the set")


def _is_secret(variable: Node) -> bool:
    value = str(variable.get("value"))
    return bool(_SECRET_NAME.search(variable["name"])) and not variable["name"].endswith(("_FILE", "_PATH", "_DIR", "_NAME")) and not value.startswith("/")


def resources(workload: Workload) -> Iterator[Finding]:
    """Something to count with, and a bound."""
    for container in workload.containers:
        where, given = f"{workload.title}.{container['name']}", container.get("resources") or {}
        if not {"cpu", "memory"} <= set(given.get("requests") or {}):
            yield Finding("requests", where, "requests no CPU or memory: the autoscaler and the scheduler count with them")
        if "memory" not in (given.get("limits") or {}):
            yield Finding("memory-limit", where, "has no memory limit")
        if container.get("imagePullPolicy") != "IfNotPresent" and _DIGEST.search(str(container.get("image"))):
            yield Finding("pull-policy", where, "a digest never changes; IfNotPresent starts without the registry")
        for port in container.get("ports") or []:
            if "protocol" not in port:
                yield Finding("port-protocol", where, f"port {port.get('containerPort')} names no protocol, which older server-side apply refuses")
        yield from image(str(container.get("image")), where)


def probes(workload: Workload) -> Iterator[Finding]:
    """Ready means it can work, alive means it answers; what is asked for the one must not restart the other."""
    if workload.kind != "Deployment":
        return
    skipped = " ".join(str(value) for key, value in (workload.node["metadata"].get("annotations") or {}).items() if key.startswith("checkov.io/skip"))
    for container in workload.pod.get("containers") or []:
        where = f"{workload.title}.{container['name']}"
        ready, alive, started = (_asked(container.get(name)) for name in ("readinessProbe", "livenessProbe", "startupProbe"))
        if not alive and "CKV_K8S_8=" not in skipped:
            yield Finding("probe", where, "has no livenessProbe, and no reason why")
        if not ready and "CKV_K8S_9=" not in skipped:
            yield Finding("probe", where, "has no readinessProbe, and no reason why")
        if alive and not started:
            yield Finding("startup-probe", where, "has no startupProbe: a slow start is a death")
        if alive and alive == ready:
            yield Finding("probe-alike", where, f"is restarted for what only makes it unready ({alive}): a database that is away restarts the whole fleet")
        if (container.get("livenessProbe") or {}).get("initialDelaySeconds"):
            yield Finding("startup-probe", where, "waits a fixed time for its start; a startupProbe asks")


def _asked(probe: Node | None) -> str | None:
    action = {key: value for key, value in (probe or {}).items() if key in {"httpGet", "exec", "tcpSocket", "grpc"}}
    return str(sorted(action.items(), key=str)) if action else None


def rollout(workload: Workload, manifests: Manifests) -> Iterator[Finding]:
    """How a Deployment is replaced, moved and scaled."""
    if workload.kind != "Deployment":
        return
    selector = workload.spec.get("selector") or {}
    if not all(workload.labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) or not selector:
        yield Finding("selector", workload.title, "does not select its own pods")
    if (workload.kind, workload.name) in manifests.scaled and "replicas" in workload.spec:
        yield Finding("replicas", workload.title, "says a number of replicas, which an autoscaler owns: every apply undoes its work")
    if "version" in workload.labels:
        yield Finding("version-label", workload.title, "carries a version in its labels that nobody changes; the image's digest says it")
    surge = (workload.spec.get("strategy") or {}).get("rollingUpdate") or {}
    served = any(_serves(service, workload) for service in manifests.of("Service"))
    if served and surge.get("maxUnavailable") != 0:
        yield Finding("max-unavailable", workload.title, "takes pods away before others are there")
    yield from drain(workload, served)


def _serves(service: Node, workload: Workload) -> bool:
    selector = service["spec"].get("selector") or {}
    return bool(selector) and selector.items() <= workload.labels.items()


def drain(workload: Workload, served: bool) -> Iterator[Finding]:
    """A pod that leaves stays until routers know it and its last answers are given."""
    for container in workload.pod.get("containers") or []:
        wait = int((((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}).get("seconds") or 0)
        if served and not wait:
            yield Finding("pre-stop", workload.title, "ends while routers still send it requests; let preStop sleep")
        if int(workload.pod.get("terminationGracePeriodSeconds") or 30) <= wait + _LAST_ANSWERS:
            yield Finding("grace-period", workload.title, "is killed while it drains")


def spread(workload: Workload) -> Iterator[Finding]:
    """Three zones, then hosts, counted per revision."""
    if workload.kind != "Deployment":
        return
    constraints = {entry.get("topologyKey"): entry for entry in workload.pod.get("topologySpreadConstraints") or []}
    zone = constraints.get(_ZONE) or {}
    if (zone.get("maxSkew"), zone.get("minDomains"), zone.get("whenUnsatisfiable")) != (1, 3, "DoNotSchedule"):
        yield Finding("zone-spread", workload.title, "is not spread evenly over three zones")
    if _HOST not in constraints:
        yield Finding("host-spread", workload.title, "is not spread over hosts")
    for entry in constraints.values():
        if entry.get("matchLabelKeys") not in (["pod-template-hash"], ["rollouts-pod-template-hash"]):
            yield Finding("revision-spread", workload.title, "is counted together with other revisions: a rollout upsets the balance")


def old_names(manifests: Manifests) -> Iterator[Finding]:
    """Names that Kubernetes gave up."""
    for workload in manifests.workloads:
        if _OLD_ZONE in str(workload.pod):
            yield Finding("old-zone", workload.title, f"{_OLD_ZONE} is gone; zones are {_ZONE}, and their names belong to no manifest")


def job(workload: Workload) -> Iterator[Finding]:
    """A Job ends, and is cleared away."""
    if workload.kind != "Job":
        return
    for key, why in (("ttlSecondsAfterFinished", "stays for ever"), ("activeDeadlineSeconds", "may run for ever"), ("backoffLimit", "is repeated six times")):
        if key not in workload.spec:
            yield Finding("job", workload.title, f"has no {key}: it {why}")
