"""Base job templates of work pools: `pools/<kind>.yaml`, filled from the settings.

Containers get their settings in three ways: variables that are not secret from here (Docker) or from a ConfigMap
(Kubernetes), secrets as files, and what Prefect itself needs from the worker that starts them.
"""

import os
import re
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from aquascene.adapters.settings import Settings, read_yaml
from aquascene.errors import ConfigError
from deployments.variables import fill

_FOLDER = Path(__file__).parent / "pools"
_CREDENTIALS = re.compile(r"//[^/\s@]+@")
# Where a container keeps its state is the image's business; Prefect's own variables come from the worker.
_NOT_HANDED_ON = {"AQUASCENE_HOME", "IMAGE", "GIT_SHA", "PREFECT_API_URL"}


def base_job_template(config: Settings) -> dict[str, Any]:
    """Fill the template of the kind that the settings name."""
    filled: dict[str, Any] = fill(read_yaml(_FOLDER / f"{config.orchestration.work_pool}.yaml"), _values(config))
    return filled


def _values(config: Settings) -> dict[str, Any]:
    now = config.orchestration
    kind = now.work_pool
    if kind != "process" and not config.image:
        raise ConfigError(f"a {kind} work pool needs an image: set IMAGE to what flow runs are started from")
    if kind == "docker" and not now.docker_secrets_path:
        raise ConfigError("a docker work pool needs ORCHESTRATION__DOCKER_SECRETS_PATH: the folder on the Docker host with the secret files of flow runs")
    own = {"DATABASE__POOL_SIZE": str(config.scale.flow_run_pool_size)}  # a run needs fewer connections than the web
    return {
        "IMAGE": config.image,
        "IMAGE_PULL_POLICY": now.image_pull_policy,
        "ENV": {**handed_on(), **own} if kind == "docker" else own,
        "DOCKER_NETWORKS": now.docker_networks,
        "DOCKER_VOLUMES": [f"{now.docker_secrets_path}:/run/secrets:ro", *now.docker_volumes],
        "DOCKER_MEMORY": f"{now.run_memory_mb}m",
        "KUBERNETES_NAMESPACE": now.kubernetes_namespace,
        "KUBERNETES_SERVICE_ACCOUNT": now.kubernetes_service_account,
        "KUBERNETES_SECRET": now.kubernetes_secret,
        "KUBERNETES_CONFIG_MAP": now.kubernetes_config_map,
        "KUBERNETES_MEMORY": f"{now.run_memory_mb}Mi",
        "KUBERNETES_MEMORY_REQUEST": f"{max(now.run_memory_mb // 2, 128)}Mi",
    }


def handed_on() -> dict[str, str]:
    """Take the settings in this process's variables that a flow container needs too, and no secret among them.

    The engine gives a container no environment file, so `apply` and the worker are started with the same variables
    and the template repeats them.
    """
    found = {name: value for name, value in sorted(os.environ.items()) if _is_plain_setting(name) and name not in _NOT_HANDED_ON}
    if leaks := [name for name, value in found.items() if _CREDENTIALS.search(value)]:
        raise ConfigError(f"{', '.join(leaks)} holds a user or password: a job template is stored in clear, so put that into a secret file")
    return found


def _is_plain_setting(name: str) -> bool:
    model: Any = Settings
    for part in name.lower().split("__"):
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return False
        model = model.model_fields[part].annotation
    return SecretStr not in (model, *get_args(model))
