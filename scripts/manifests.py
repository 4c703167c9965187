"""Kubernetes manifests: render what kustomize builds, and check it.

    python -m scripts.manifests render                                 write what is derived, and the reference copies in k8s/rendered
    python -m scripts.manifests render production --image NAME@sha256:… [--output FILE]     write one overlay for a release
    python -m scripts.manifests check                                  reference copies current, schemas, rules
    python -m scripts.manifests check --release FILE                   schemas and rules of a rendered release, and no placeholder left

`scripts/ci/kustomize.sh` finds kustomize. Checking a file needs none, and neither do the tests, which read the copies.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from deployments import server_settings
from scripts.manifests_rules import findings, placeholders
from scripts.manifests_schema import NEWEST, OLDEST, problems
from scripts.manifests_set import Finding, Manifests, read

ROOT = Path(__file__).resolve().parent.parent
K8S = ROOT / "k8s"
# What is rendered for reference: the overlays of this repository, and what a cluster has once. Installations add overlays of their own.
COPIES = {name: Path("overlays") / name for name in ("ci", "production", "production-canary")} | {"cluster": Path("cluster")}
JOBS = ("migrate", "apply", "smoke")
_IMAGE = re.compile(r"^(?P<name>[a-z0-9][\w./:-]*)@(?P<digest>sha256:[0-9a-f]{64})$")
_CA_FILE = {"PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE": "/run/secrets/database-ca.crt"}
# The worker hands its settings to the Jobs that it creates; this one becomes a reference to the Secret, never its value.
_AUTH = {
    "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_NAME": "aquascene-secrets",
    "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_KEY": "prefect_api_auth_string",
}
# People reach Prefect's UI through `kubectl port-forward service/prefect-server 4200`.
_UI = {"PREFECT_SERVER_UI_API_URL": "http://127.0.0.1:4200/api"}
_LINKS = {"PREFECT_UI_URL": "http://127.0.0.1:4200"}  # of notifications, which lead there too


def environments() -> dict[Path, dict[str, str]]:
    """The variables of Prefect's processes by file, from the one list in deployments/server_settings.py."""
    tls = server_settings.DATABASE_TLS | _CA_FILE
    return {
        K8S / "base/foundation/prefect-common.env": dict(server_settings.COMMON),
        K8S / "base/prefect/prefect-server.env": server_settings.environment("prefect-server") | tls | _UI,
        K8S / "base/prefect/prefect-services.env": server_settings.environment("prefect-services") | tls | _LINKS,
        K8S / "base/prefect/prefect-worker.env": server_settings.environment("worker") | server_settings.KUBERNETES_WORKER | _AUTH,
        K8S / "base/prefect/prefect-migrate.env": server_settings.environment("migrate") | tls,
    }


def environment_text(variables: dict[str, str]) -> str:
    """Write variables as kustomize reads them."""
    lines = [f"{name}={value}" for name, value in sorted(variables.items())]
    return "# Rendered from deployments/server_settings.py by scripts/manifests.py; change it there.\n" + "\n".join(lines) + "\n"


def product_rules() -> str:
    """The alerts of the stacks as an object of the Prometheus Operator."""
    spec = yaml.safe_load((ROOT / "docker/prometheus/rules.yml").read_text(encoding="utf-8"))
    metadata = {"name": "aquascene-product", "labels": {"aquascene.example/phase": "serve"}}
    node = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata, "spec": spec}
    head = "# Rendered from docker/prometheus/rules.yml by scripts/manifests.py; change it there.\n"
    return head + yaml.safe_dump(node, sort_keys=False, width=160)


def derived() -> dict[Path, str]:
    """Every source in k8s that is made of something outside it."""
    made = {path: environment_text(variables) for path, variables in environments().items()}
    return made | {K8S / "components/monitoring/product-rules.yaml": product_rules()}


def sources_hash() -> str:
    """Hash everything that the reference copies are made of, so that a stale copy is found without kustomize."""
    digest = hashlib.sha256()
    for path in sorted(path for path in K8S.rglob("*") if path.suffix in {".yaml", ".env"} and path.parent.name != "rendered"):
        digest.update(f"{path.relative_to(K8S).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def kustomize() -> str:
    """Find the program: KUSTOMIZE, or what scripts/ci/kustomize.sh finds."""
    if given := os.environ.get("KUSTOMIZE"):
        return given
    found = subprocess.run(["sh", str(ROOT / "scripts/ci/kustomize.sh")], capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(f"kustomize is needed and was not found: {found.stderr.strip()}")
    return found.stdout.strip()


def build(program: str, folder: Path) -> str:
    """Build one folder."""
    built = subprocess.run([program, "build", str(folder)], capture_output=True, text=True, check=False)
    if built.returncode:
        raise SystemExit(f"kustomize build {folder}: {built.stderr.strip()}")
    return built.stdout


def copies(program: str) -> dict[Path, str]:
    """The reference copies with the hash of their sources."""
    head = f"# Rendered by `python -m scripts.manifests render`; change the sources. Their hash: {sources_hash()}\n"
    return {K8S / "rendered" / f"{name}.yaml": head + build(program, K8S / folder) for name, folder in COPIES.items()}


def release(program: str, overlay: str, image: str) -> str:
    """Build an overlay for one release: its image everywhere, a label, and the mark in the names of Jobs, which cannot be changed once they ran."""
    matched = _IMAGE.match(image)
    if not matched or not int(matched["digest"].removeprefix("sha256:"), 16):
        raise SystemExit(f"--image {image}: name it as registry/name@sha256:… with the digest of the release")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "k8s"
        shutil.copytree(K8S, copy)
        _change(copy / "components/release", images=[{"name": "aquascene", "newName": matched["name"], "digest": matched["digest"]}])
        mark = matched["digest"].removeprefix("sha256:")[:10]
        labels: list[dict[str, object]] = [{"pairs": {"aquascene.example/release": mark}, "includeTemplates": True}]
        _change(copy / "overlays" / overlay, labels=labels, patches=[_renamed(job, mark) for job in JOBS])
        return build(program, copy / "overlays" / overlay)


def _change(folder: Path, **keys: list[dict[str, object]]) -> None:
    """Replace `images` of a kustomization, or add to its `labels` and `patches`."""
    path = folder / "kustomization.yaml"
    node = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, entries in keys.items():
        node[key] = entries if key == "images" else [*node.get(key, []), *entries]
    path.write_text(yaml.safe_dump(node, sort_keys=False), encoding="utf-8")


def _renamed(job: str, mark: str) -> dict[str, object]:
    patch = yaml.safe_dump([{"op": "replace", "path": "/metadata/name", "value": f"{job}-{mark}"}])
    return {"target": {"kind": "Job", "name": job}, "patch": patch, "options": {"allowNameChange": True}}


def inspect(path: Path, *, placeholder: bool) -> list[Finding]:
    """Everything that is wrong with one rendered file."""
    documents = read(path)
    found = [finding for minor in (OLDEST, NEWEST) for document in documents for finding in problems(document, minor)]
    manifests = Manifests(documents)
    whole = path.stem != "cluster"
    return list(dict.fromkeys(found + (findings(manifests) if whole else []) + ([] if placeholder else list(placeholders(manifests)))))


def check() -> list[str]:
    """Name every stale file and every finding in the reference copies."""
    wanted = derived() | copies(kustomize())
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    found = [f"stale, run `python -m scripts.manifests render`: {path.relative_to(ROOT)}" for path in stale]
    paths = [K8S / "rendered" / f"{name}.yaml" for name in COPIES]
    return found + [f"{path.relative_to(ROOT)}: {finding}" for path in paths if path.exists() for finding in inspect(path, placeholder=True)]


def render(overlay: str | None, image: str | None, output: Path | None) -> None:
    """Write the reference copies, or one overlay for a release."""
    if overlay is None:
        for path, text in derived().items():
            path.write_text(text, encoding="utf-8")
        for path, text in copies(kustomize()).items():
            path.write_text(text, encoding="utf-8")
    elif image is None:
        raise SystemExit("an overlay without --image would name the placeholder; name the release's image by its digest")
    else:
        text = release(kustomize(), overlay, image)
        output.write_text(text, encoding="utf-8") if output else sys.stdout.write(text)


def main() -> int:
    """Read the command line and do it; exit 1 with every finding."""
    parser = argparse.ArgumentParser(prog="python -m scripts.manifests", description="Render and check the Kubernetes manifests.")
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render")
    rendering.add_argument("overlay", nargs="?", choices=sorted(path.name for path in (K8S / "overlays").iterdir()))
    rendering.add_argument("--image")
    rendering.add_argument("--output", type=Path)
    commands.add_parser("check").add_argument("--release", type=Path)
    given = parser.parse_args()
    if given.command == "render":
        render(given.overlay, given.image, given.output)
        return 0
    found = [str(finding) for finding in inspect(given.release, placeholder=False)] if given.release else check()
    print("\n".join(found) or f"manifests are current and valid for Kubernetes {OLDEST} and {NEWEST}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
