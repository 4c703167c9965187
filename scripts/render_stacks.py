"""Write the Compose files and the Swarm stack from docker/services.yaml; with --check: fail where one is stale.

One model, because what Compose and Swarm take is alike and not the same: Swarm refuses map-form `depends_on`, ignores
`security_opt`, and wants `deploy`; two files kept by hand drift apart. The result is in git, so that a reviewer sees
what a change does and `docker compose` needs nothing of ours.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any, Literal

import yaml

from aquascene.adapters.settings import deep_merge
from deployments import server_settings

Target = Literal["compose", "test", "stack", "demo"]
Node = dict[str, Any]

DOCKER = Path(__file__).resolve().parent.parent / "docker"
TARGETS: tuple[Target, ...] = ("compose", "test", "stack", "demo")
_OURS = ("in", "role", "code", "environments", "secrets", "secrets_from", "configs", "tmpfs", "after", "one_shot", "root_because", *TARGETS)
_CONDITIONS = {"healthy": "service_healthy", "done": "service_completed_successfully"}
_TMPFS_BYTES = 256 * 1024 * 1024
_IMAGE_CHECK = ["CMD", "/opt/aquascene/venv/bin/python", "-I", "-S", "/opt/aquascene/bin/healthcheck.py"]
_HEALTH = {"interval": "5s", "timeout": "5s", "retries": 24, "start_period": "120s"}
_UPDATE = {"parallelism": 1, "delay": "5s", "order": "start-first", "failure_action": "rollback", "monitor": "20s", "max_failure_ratio": 0}
_ROLLBACK = {"parallelism": 1, "order": "start-first", "failure_action": "pause", "monitor": "20s"}
_PREFECT_ROLES = tuple(server_settings.SECRETS)


class _Octal(int):
    """A file mode: 0o555 reads as 0555 in YAML, not as 365."""


class _Dumper(yaml.SafeDumper):
    """Plain YAML without anchors: every service says all of itself."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Octal, lambda dumper, mode: dumper.represent_scalar("tag:yaml.org,2002:int", f"0{int(mode):o}"))


def load() -> Node:
    """Read the model."""
    loaded: Node = yaml.safe_load((DOCKER / "services.yaml").read_text(encoding="utf-8"))
    return loaded


def for_target(node: Node, target: Target) -> Node:
    """What a node says for one target: its common part, then Compose's where the target is `test`, then the target's own."""
    merged = {key: value for key, value in node.items() if key not in TARGETS}
    for layer in ("compose", "test") if target == "test" else (target,):
        merged = deep_merge(merged, node.get(layer) or {})
    return merged


def render(model: Node, target: Target) -> Node:
    """Build one file."""
    options = model["targets"][target]
    chosen = {name: for_target(node, target) for name, node in model["services"].items() if target in node["in"]}
    file: Node = {"name": options["project"]} if "project" in options else {}
    file["services"] = {name: service(model, target, name, node) for name, node in chosen.items()}
    file["networks"] = {name: for_target(node, target) for name, node in model["networks"].items() if _used(file, "networks", name)}
    file["volumes"] = {name: for_target(model["volumes"].get(name, {}), target) for name in _volumes(file)}
    file["secrets"] = {name: _secret(name, node, target) for name, node in model["secrets"].items() if _used(file, "secrets", name)}
    file["configs"] = {name: _config(name, node, target) for name, node in model["configs"].items() if _used(file, "configs", name)}
    return {key: value for key, value in file.items() if value}


def service(model: Node, target: Target, name: str, node: Node) -> Node:
    """Build one service: what the model says, and what every service has."""
    made: Node = {key: value for key, value in node.items() if key not in _OURS}
    if "role" in node:
        made = {"image": model["targets"][target]["image"], "command": [node["role"]], "user": "10001:10001"} | made
    made |= {"init": True, "read_only": True, "cap_drop": ["ALL"]}
    if environment := _environment(model, target, node):
        made["environment"] = environment
    made["volumes"] = _mounts(target, node)
    if secrets := [] if node.get("secrets_from") else _secret_names(node):
        made["secrets"] = [_secret_use(secret, node) if target == "stack" else secret for secret in secrets]
    if configs := node.get("configs"):
        made["configs"] = [_config_use(model, target, config, path) for config, path in configs.items()]
    made["healthcheck"] = {"disable": True} if node.get("one_shot") else ({"test": _IMAGE_CHECK} | _HEALTH | node.get("healthcheck", {}))
    made["logging"] = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
    memory = model["targets"][target]["memory"]
    return _for_swarm(made, node, memory) if target == "stack" else _for_compose(made, node, memory)


def _for_compose(made: Node, node: Node, memory: str) -> Node:
    made["security_opt"] = ["no-new-privileges:true"]
    made["restart"] = "no" if node.get("one_shot") else "unless-stopped"
    if after := node.get("after"):
        made["depends_on"] = {name: {"condition": _CONDITIONS[state]} for name, state in after.items()}
    made["deploy"] = deep_merge({"resources": {"limits": {"memory": memory}}}, node.get("deploy", {}))
    return made


def _for_swarm(made: Node, node: Node, memory: str) -> Node:
    """Swarm has no `security_opt` (docs/how-to/staging-swarm.md sets it for the whole engine) and no order of starting."""
    limits = {"limits": {"memory": memory, "cpus": "1.0"}, "reservations": {"memory": "128m"}}
    if node.get("one_shot"):
        restart = {"condition": "on-failure", "delay": "5s", "max_attempts": 60}
        own: Node = {"mode": "replicated-job", "replicas": 1, "restart_policy": restart, "resources": limits}
    else:
        restart = {"condition": "any", "delay": "5s"}
        own = {"mode": "replicated", "replicas": 1, "update_config": _UPDATE, "rollback_config": _ROLLBACK, "restart_policy": restart, "resources": limits}
        own["placement"] = {"preferences": [{"spread": "node.labels.zone"}]}
    made["deploy"] = deep_merge(own, node.get("deploy", {}))
    return made


def _environment(model: Node, target: Target, node: Node) -> dict[str, str]:
    role = node.get("role")
    found: dict[str, str] = server_settings.environment(role) if role in _PREFECT_ROLES else {}
    for group in node.get("environments", []):
        found = found | for_target(model["environments"][group], target)
    own: dict[str, str] = node.get("environment", {})
    return found | own


def _mounts(target: Target, node: Node) -> list[Any]:
    """Volumes, and folders in memory: /tmp always, with a bound, because an unbounded one is memory without a limit."""
    mounts = list(node.get("volumes", []))
    if node.get("code") and target == "compose":
        mounts.append("checkout:/app:ro")
    if volume := node.get("secrets_from"):
        mounts.append(f"{volume}:/run/secrets:ro")
    folders = ["/tmp", *node.get("tmpfs", [])]  # noqa: S108  # of the container
    return mounts + [{"type": "tmpfs", "target": folder, "tmpfs": {"size": _TMPFS_BYTES}} for folder in folders]


def _secret_names(node: Node) -> list[str]:
    role = node.get("role")
    of_role = server_settings.SECRETS[role] if role in _PREFECT_ROLES else ()
    return list(dict.fromkeys([*of_role, *node.get("secrets", [])]))


def _secret_use(name: str, node: Node) -> Node:
    """Our image's user alone may read it; the users of other images have numbers of their own, and a container of their own."""
    owner = {"uid": "10001", "gid": "10001", "mode": _Octal(0o400)} if "role" in node else {"mode": _Octal(0o444)}
    return {"source": name, "target": name, **owner}


def _config_use(model: Node, target: Target, name: str, path: str) -> Node:
    """Compose mounts the file with the mode that it has in git, and warns about another."""
    mode = {"mode": _Octal(model["configs"][name].get("mode", 0o444))} if target == "stack" else {}
    return {"source": name, "target": path, **mode}


def _secret(name: str, node: Node, target: Target) -> Node:
    """A file; in Swarm under a name with the hash of its content, so that a change is a new object and a rollout."""
    folder = "/".join(filter(None, ["${SECRETS_PATH:-./secrets}", node.get("folder")]))
    file = {"file": f"{folder}/{name}"}
    return file | {"name": f"aquascene_{name}_${{HASH_{name.upper()}:?docker/deploy_stack.sh sets it}}"} if target == "stack" else file


def _config(name: str, node: Node, target: Target) -> Node:
    file = {"file": f"./{node['file']}"}
    content = (DOCKER / node["file"]).read_bytes()
    return file | {"name": f"aquascene_{name}_{hashlib.sha256(content).hexdigest()[:12]}"} if target == "stack" else file


def _used(file: Node, kind: str, name: str) -> bool:
    entries = [entry for made in file["services"].values() for entry in made.get(kind, [])]
    return name in [entry["source"] if isinstance(entry, dict) else entry for entry in entries]


def _volumes(file: Node) -> list[str]:
    mounts = [mount.partition(":")[0] for made in file["services"].values() for mount in made["volumes"] if isinstance(mount, str)]
    return list(dict.fromkeys(mount for mount in mounts if mount[0] not in "/.$"))


def text(model: Node, target: Target) -> str:
    """Write one file as text."""
    about = model["targets"][target]["about"]
    head = f"# Rendered from docker/services.yaml by scripts/render_stacks.py; change it there.\n# {about}\n"
    return head + yaml.dump(render(model, target), Dumper=_Dumper, sort_keys=False, width=160, allow_unicode=True)


def main() -> int:
    """Write all files, or check them and exit 1 with the names of the stale ones."""
    model = load()
    wanted = {DOCKER / model["targets"][target]["file"]: text(model, target) for target in TARGETS}
    if "--check" not in sys.argv[1:]:
        for path, content in wanted.items():
            path.write_text(content, encoding="utf-8")
        return 0
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != content]
    for path in stale:
        print(f"stale, run `python scripts/render_stacks.py`: docker/{path.name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
