"""Objects as files of one folder: the store of a single machine, of the demo and of tests.

`data/<key>` holds the bytes; `types/<key>` holds the content type where the name does not tell it.
A write goes to `tmp/`, is flushed to the disk and then renamed, so a reader sees the old bytes or the new ones.
"""

import mimetypes
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote

from aquascene.adapters.storage.keys import checked_key, checked_prefix
from aquascene.adapters.storage.row_pointers import RowPointers
from aquascene.errors import ConfigError, NotFound, PermanentError, TransientError
from aquascene.sources.ports import ObjectStat

_UNKNOWN = "application/octet-stream"


def from_url(url: SplitResult) -> "DirectoryStore":
    """Open file:///absolute/folder; the folder is made on the first write."""
    path = Path(unquote(url.path))
    if url.netloc not in {"", "localhost"} or not path.is_absolute():
        raise ConfigError("OBJECT_STORE_URL must look like file:///absolute/folder, with three slashes")
    return DirectoryStore(path)


class DirectoryStore(RowPointers):
    """An ObjectStore in one folder."""

    def __init__(self, root: Path) -> None:
        self._data, self._types, self._tmp = root / "data", root / "types", root / "tmp"

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes under a key, whole or not at all."""
        checked_key(key)
        if content_type == _guess(key):
            (self._types / key).unlink(missing_ok=True)
        else:
            self._write(self._types / key, content_type.encode())
        self._write(self._data / key, data)

    def get(self, key: str) -> bytes:
        """Read the bytes of a key; NotFound when there are none."""
        try:
            return (self._data / checked_key(key)).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound(f"there is no object {key}") from None
        except OSError as exc:
            raise TransientError(f"object store: cannot read {key}: {exc.strerror}") from exc

    def stat(self, key: str) -> ObjectStat | None:
        """Describe an object; None when there is none."""
        path = self._data / checked_key(key)
        try:
            known = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file():
            return None
        return ObjectStat(key, known.st_size, self._type(key), datetime.fromtimestamp(known.st_mtime, UTC))

    def list(self, prefix: str) -> Iterator[str]:
        """Name the keys that start with a prefix, in order."""
        folder = self._data / checked_prefix(prefix).rpartition("/")[0]
        found = (Path(parent, name).relative_to(self._data).as_posix() for parent, _, names in os.walk(folder) for name in names)
        yield from sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is harmless."""
        for folder in (self._data, self._types):
            try:
                (folder / checked_key(key)).unlink(missing_ok=True)
            except (IsADirectoryError, NotADirectoryError, PermissionError):
                continue

    def copy(self, src: str, dst: str) -> None:
        """Copy an object; NotFound when there is none."""
        self.put(dst, self.get(src), self._type(src))

    def _type(self, key: str) -> str:
        try:
            return (self._types / key).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return _guess(key)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(path, data, self._tmp)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise PermanentError(f"a key and a folder of keys have the same name: {path.name}") from None
        except OSError as exc:
            raise TransientError(f"object store: cannot write {path.name}: {exc.strerror}") from exc


def _replace(path: Path, data: bytes, tmp: Path) -> None:
    handle, name = tempfile.mkstemp(dir=tmp)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # The rename itself is safe from a power cut only once its folder is on the disk.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _guess(key: str) -> str:
    return mimetypes.guess_type(key)[0] or _UNKNOWN
