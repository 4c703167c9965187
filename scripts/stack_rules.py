"""What every Compose file and Swarm stack of ours keeps to; `python scripts/stack_rules.py FILE...` prints what is broken.

Each rule has a code. The broken examples in tests/fixtures/stacks show one defect each and are refused with its code.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

Node = dict[str, Any]

# Root inside a container; docker/services.yaml says why (root_because). Everything else has a user.
ROOT = {"router", "socket-proxy", "object-store"}
# Whoever holds the Docker socket is root on the machine.
SOCKET = {"worker", "socket-proxy"}
_SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|AUTH_STRING|_KEY|CREDENTIAL)", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")
_DEFAULTED = re.compile(r"\$\{\w+:-([^}]*)\}")
_GIVEN = {"COMPOSE_PROJECT_NAME"}  # Compose sets it itself
_SWARM_IGNORES = ("build", "container_name", "develop", "group_add", "labels", "network_mode", "privileged", "profiles", "restart", "security_opt", "shm_size")
_HASH = re.compile(r"(\$\{HASH_\w+:\?|_[0-9a-f]{12}$)")


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    code: str
    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.code}: {self.where}: {self.says}"


@dataclass(frozen=True)
class File:
    """One file as it was read."""

    node: Node

    @property
    def services(self) -> dict[str, Node]:
        """The services by name."""
        return self.node.get("services") or {}

    @cached_property
    def is_swarm(self) -> bool:
        """A stack says how to update; Compose has no use for that."""
        deploys = [service.get("deploy", {}) for service in self.services.values()]
        return any({"replicas", "mode", "update_config", "placement"} & set(deploy) for deploy in deploys)


def one_shot(service: Node) -> bool:
    """Tell whether a service runs to its end."""
    return service.get("restart") == "no" or str(service.get("deploy", {}).get("mode", "")).endswith("-job")


def words(value: Any) -> Iterator[str]:
    """Every string in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def whole_file(file: File) -> Iterator[Finding]:
    """What concerns the file and not one service."""
    if "version" in file.node:
        yield Finding("version", "version", "the key is obsolete and only warned about; remove it")
    for word in words(file.node):
        for name, rest in _VARIABLE.findall(word):
            if name not in _GIVEN and not rest:
                yield Finding("unset-variable", f"${{{name}}}", "becomes an empty string where it is not set; give it :- a default or :? a message")
    for kind in ("volumes", "networks", "secrets", "configs"):
        declared, used = set(file.node.get(kind) or {}), set(_references(file, kind))
        for name in sorted(declared - used):
            yield Finding("unused", f"{kind}.{name}", "is declared and no service has it")
        for name in sorted(used - declared):
            yield Finding("undeclared", f"{kind}.{name}", "is used and not declared")


def _references(file: File, kind: str) -> Iterator[str]:
    for service in file.services.values():
        for entry in service.get(kind) or []:
            if isinstance(entry, dict):
                if kind != "volumes" or entry.get("type") == "volume":
                    yield entry["source"]
            elif kind != "volumes":
                yield entry
            elif (name := entry.partition(":")[0])[:1] not in {"/", ".", "$"}:
                yield name


def image(name: str, service: Node) -> Iterator[Finding]:
    """An exact version, or a variable that must be given."""
    reference = service.get("image")
    if not reference:
        yield Finding("image", name, "has no image name")
        return
    plain = _DEFAULTED.sub(r"\1", reference)
    if "${" in plain:
        return  # `:?`: whoever sets it says which; a bare variable is an unset-variable
    last = plain.rpartition("/")[2]
    if ":" not in last or last.endswith(":latest"):
        yield Finding("image", name, f"{plain} is not an exact version")


def health(name: str, service: Node) -> Iterator[Finding]:
    """Something to look at, and time to start; or an end."""
    check = service.get("healthcheck") or {}
    if one_shot(service):
        return
    if not check.get("test") or check.get("disable"):
        yield Finding("healthcheck", name, "has no healthcheck: nobody learns that it hangs")
    elif not check.get("start_period"):
        yield Finding("healthcheck", name, "has no start_period: a slow start counts as a failure")


def hardening(name: str, service: Node) -> Iterator[Finding]:
    """What every container does without."""
    if service.get("init") is not True:
        yield Finding("init", name, "has no init: process 1 ignores SIGTERM and leaves zombies")
    if service.get("read_only") is not True:
        yield Finding("read-only", name, "can write to its root file system")
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add") or service.get("privileged"):
        yield Finding("capabilities", name, "keeps capabilities")
    if name not in ROOT and str(service.get("user", "root")).split(":")[0] in {"root", "0", ""}:
        yield Finding("user", name, "runs as root")
    if name not in SOCKET and any("docker.sock" in word for word in words(service.get("volumes"))):
        yield Finding("socket", name, "holds the Docker socket, which is root on the machine")
    if not service.get("logging", {}).get("options", {}).get("max-size"):
        yield Finding("logs", name, "its log may fill the disk")
    if not service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"):
        yield Finding("memory", name, "has no memory limit")


def secrets(name: str, service: Node) -> Iterator[Finding]:
    """Secrets are files: everybody who may look at a container reads its environment."""
    environment = service.get("environment") or {}
    pairs = environment.items() if isinstance(environment, dict) else [entry.partition("=")[::2] for entry in environment]
    for key, value in pairs:
        is_file = str(key).endswith(("_FILE", "_PATH")) or str(value).startswith("/run/secrets/")
        if (_SECRET_NAME.search(str(key)) and not is_file) or _IN_ADDRESS.search(str(value)):
            yield Finding("secret-in-environment", f"{name}.{key}", "is a secret in the environment; use a secret file")


def compose(name: str, service: Node, known: set[str]) -> Iterator[Finding]:
    """What Compose alone has."""
    after = service.get("depends_on") or {}
    for other in after:
        if other not in known:
            yield Finding("depends-on", name, f"waits for {other}, which is no service")
        if not isinstance(after, dict) or "condition" not in after[other]:
            yield Finding("depends-on", name, f"waits for {other} to start only, not to be ready")
    if "no-new-privileges:true" not in (service.get("security_opt") or []):
        yield Finding("privileges", name, "may gain privileges")
    for port in service.get("ports") or []:
        if not str(port).startswith("127.0.0.1:"):
            yield Finding("port", name, f"{port} is open to the network of the machine")


def swarm(name: str, service: Node) -> Iterator[Finding]:
    """What Swarm needs, and what it ignores or refuses."""
    for key in _SWARM_IGNORES:
        if key in service:
            yield Finding("swarm-ignores", f"{name}.{key}", "Swarm ignores it; routers read deploy.labels, and restarts are deploy.restart_policy")
    if "depends_on" in service:
        yield Finding("depends-on", name, "Swarm has no order of starting, and refuses the map form")
    if one_shot(service):
        return
    deploy = service.get("deploy") or {}
    if "max_attempts" in deploy.get("restart_policy", {}):
        yield Finding("max-attempts", name, "after so many tries the service stays dead")
    if not service.get("stop_grace_period") and "ports" not in service and deploy.get("replicas", 1) > 1:
        yield Finding("stop-grace-period", name, "is killed after 10 s, requests under way and all")
    if _keeps_data(service) and not deploy.get("placement", {}).get("constraints"):
        yield Finding("placement", name, "its volume is on one node, and it may start on another")
    yield from _updates(name, service, deploy)


def _keeps_data(service: Node) -> bool:
    return any(isinstance(mount, str) and mount[0] not in "/.$" for mount in service.get("volumes") or [])


def _updates(name: str, service: Node, deploy: Node) -> Iterator[Finding]:
    update = deploy.get("update_config") or {}
    stop_first = _keeps_data(service) or any(isinstance(port, dict) and port.get("mode") == "host" for port in service.get("ports") or [])
    if update.get("order") != ("stop-first" if stop_first else "start-first"):
        yield Finding("update-order", name, "two cannot hold one volume or port" if stop_first else "an update takes the old one away before the new one works")
    for key, wanted in (("failure_action", "rollback"), ("max_failure_ratio", 0)):
        if update.get(key) != wanted:
            yield Finding("update-failure", name, f"update_config.{key} is not {wanted}: a broken image stays")
    if not update.get("monitor"):
        yield Finding("update-monitor", name, "a task that dies after its start is not noticed")
    if not deploy.get("rollback_config"):
        yield Finding("rollback", name, "has no rollback_config")


def swarm_objects(file: File) -> Iterator[Finding]:
    """Names by content, networks that are ours and encrypted."""
    for kind in ("secrets", "configs"):
        for name, node in (file.node.get(kind) or {}).items():
            if not _HASH.search(str((node or {}).get("name", ""))):
                yield Finding("content-hash", f"{kind}.{name}", "its name does not change with its content: no rollout, and no way back")
    for name, node in (file.node.get("networks") or {}).items():
        if (node or {}).get("driver") != "overlay" or "encrypted" not in (node or {}).get("driver_opts", {}):
            yield Finding("network", f"networks.{name}", "is not an encrypted overlay of this stack")


def findings(node: Node) -> list[Finding]:
    """Everything that is wrong with one file."""
    file = File(node)
    found = list(whole_file(file)) + (list(swarm_objects(file)) if file.is_swarm else [])
    each: tuple[Callable[[str, Node], Iterator[Finding]], ...] = (image, health, hardening, secrets)
    for name, service in file.services.items():
        for rule in each:
            found += rule(name, service)
        found += swarm(name, service) if file.is_swarm else compose(name, service, set(file.services))
    return found


def read(path: Path) -> Node:
    """Read one file."""
    loaded: Node = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def main() -> int:
    """Check the named files and print every finding; exit 1 where there is one."""
    found = [f"{path}: {finding}" for path in sys.argv[1:] for finding in findings(read(Path(path)))]
    print("\n".join(found) or "nothing to say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
