"""The one folder of local state: secrets made once, ports kept across starts, the lock that allows one start at a time."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import socket
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aquascene.errors import ConfigError

_TRIES = 50
_LONGEST_TEMPORARY = 50  # a socket's path may have about 107 bytes on Linux and fewer elsewhere


def short_temporary() -> Path:
    """The folder for sockets and other things of a moment: TMPDIR, unless its path is too long for a socket."""
    given = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - what is made in it is private and its owner checked
    return given if given.is_absolute() and len(str(given)) <= _LONGEST_TEMPORARY else Path("/tmp")  # noqa: S108 - as above


class LocalState:
    """Files in `aquascene_home`; creating it is the first thing that can fail, so that is said clearly."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Create the folders; ConfigError where disk or rights do not allow it."""
        try:
            for name in (".", "logs", "secrets", "sandbox", "prefect"):
                (self.home / name).mkdir(parents=True, exist_ok=True)
            (self.home / "secrets").chmod(0o700)
            probe = self.home / ".probe"
            probe.write_bytes(b"x" * 65536)
            probe.unlink()
        except OSError as exc:
            raise ConfigError(
                f"cannot write to {self.home}: {exc.strerror}; free some space, mend the rights, or set AQUASCENE_HOME to another folder"
            ) from exc

    def runtime_folder(self) -> Path:
        """A short, private folder for temporary files: Prefect's runner wants /tmp/runner_storage, which users would share."""
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        folder = short_temporary() / f"aquascene-{os.getuid()}-{mark}-run"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ConfigError(f"{folder} belongs to somebody else (uid {folder.stat().st_uid}); remove it")
        return folder

    def take_lock(self) -> None:
        """Allow one start at a time; the kernel frees the lock when its holder dies, however it dies."""
        handle = open(self.home / "up.lock", "a+", encoding="utf-8")  # noqa: SIM115 - held for the life of the process
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            raise ConfigError(
                f"AquaScene is already running from {self.home} (process {handle.read().strip() or '?'}); stop it first, or set AQUASCENE_HOME"
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        self._lock = handle

    def secret(self, name: str) -> str:
        """Read a secret of this installation, made on first use and kept."""
        path = self.home / "secrets" / name
        if not path.exists():
            self._write_secret(path, secrets.token_urlsafe(36).encode())
        return path.read_text(encoding="utf-8").strip()

    def webhook_key(self) -> tuple[Path, str]:
        """The key pair that signs the sandbox's delivery events: private key file, public key as base64 DER."""
        path = self.home / "secrets" / "webhook.pem"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            self._write_secret(path, pem)
        private = serialization.load_pem_private_key(path.read_bytes(), None)
        public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return path, base64.b64encode(public).decode()

    def ports(self, wanted: dict[str, tuple[int, bool]], hosts: dict[str, str] | None = None) -> dict[str, int]:
        """Choose a free port per name: {name: (preferred, fixed)}. Kept across starts, so that addresses stay.

        A port that somebody fixed in the settings is used or refused, never replaced. `hosts` says where each will listen.
        """
        path = self.home / "ports.json"
        kept = _read_ports(path)
        chosen: dict[str, int] = {}
        for name, (preferred, fixed) in wanted.items():
            host = (hosts or {}).get(name, "127.0.0.1")
            chosen[name] = _choose(name, host, preferred if fixed else kept.get(name, preferred), fixed, set(chosen.values()))
        _write_atomically(path, json.dumps(chosen).encode())
        return chosen

    def remember(self, environment: dict[str, str]) -> None:
        """Keep what a command in a second terminal needs; a secret file, gone with the local state."""
        self._write_secret(self.home / "secrets" / "environment.json", json.dumps(environment).encode())

    def remembered(self) -> dict[str, str]:
        """Read what the last start kept; nothing where there was none."""
        try:
            loaded = json.loads((self.home / "secrets" / "environment.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in loaded.items()} if isinstance(loaded, dict) else {}

    def _write_secret(self, path: Path, content: bytes) -> None:
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(content)
        fresh.rename(path)


def _read_ports(path: Path) -> dict[str, int]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): port for name, port in loaded.items() if isinstance(port, int)} if isinstance(loaded, dict) else {}


def _write_atomically(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.rename(path)


def _choose(name: str, host: str, preferred: int, fixed: bool, taken: set[int]) -> int:
    candidates = [preferred] if fixed else range(preferred, preferred + _TRIES)
    for port in candidates:
        if port not in taken and port_is_free(port, host):
            return port
    what = f"port {preferred}" if fixed else f"every port from {preferred} to {preferred + _TRIES - 1}"
    variable = {"web": "WEB__PORT", "prefect": "ORCHESTRATION__PORT", "sandbox": "SANDBOX__PORT", "publication": "SANDBOX__PUBLICATION_PORT"}[name]
    raise ConfigError(f"no port for {name}: {what} on {host} is in use; stop what uses it or set {variable} to a free one")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
