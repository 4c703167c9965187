"""Objects in any S3 endpoint, through the genuine `minio` SDK with our own time-outs.

`s3+https://host/bucket?region=...`; credentials never stand in the URL.
"""

import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import SplitResult, parse_qs

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from pydantic import SecretStr

from aquascene.adapters.storage.keys import checked_key, checked_prefix
from aquascene.adapters.storage.row_pointers import RowPointers
from aquascene.errors import AquasceneError, ConfigError, NotFound, PermanentError, TransientError
from aquascene.sources.ports import ObjectStat

CONNECT_SECONDS, READ_SECONDS, WHOLE_OBJECT_SECONDS = 5.0, 30.0, 120.0
_MISSING = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}
_PASSING = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "RequestTimeTooSkewed"}
_OURS = {"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidBucketName"}


def from_url(url: SplitResult, access_key: SecretStr | None, secret_key: SecretStr | None, *, create_bucket: bool) -> "S3Store":
    """Open an endpoint; nothing is sent yet."""
    bucket, query = url.path.strip("/"), parse_qs(url.query)
    if not url.hostname or not bucket or "/" in bucket or url.username or set(query) - {"region"}:
        raise ConfigError("OBJECT_STORE_URL must look like s3+https://host/bucket?region=name; credentials have settings of their own")
    if access_key is None or secret_key is None:
        raise ConfigError("an S3 endpoint needs OBJECT_STORE_ACCESS_KEY and OBJECT_STORE_SECRET_KEY")
    client = Minio(
        url.netloc,
        access_key=access_key.get_secret_value(),
        secret_key=secret_key.get_secret_value(),
        secure=url.scheme == "s3+https",
        # A known region saves one request per process, and the right to ask for it.
        region=query.get("region", ["us-east-1"])[0],
        http_client=_pool(),
    )
    return S3Store(client, bucket, create_bucket=create_bucket)


def _pool() -> urllib3.PoolManager:
    # The system's certificates (SSL_CERT_FILE among them) and the bundled ones, for images that ship none.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=16,
        ssl_context=context,
    )


class S3Store(RowPointers):
    """An ObjectStore in one bucket."""

    def __init__(self, client: Minio, bucket: str, *, create_bucket: bool) -> None:
        self._client, self._bucket, self._create_bucket = client, bucket, create_bucket

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes under a key, whole or not at all; a missing bucket is made where that is allowed."""
        try:
            self._put(checked_key(key), data, content_type)
        except _NoBucket as exc:
            if not self._create_bucket:
                raise ConfigError(f"the bucket {self._bucket} does not exist; create it") from exc
            self._make_bucket()
            self._put(key, data, content_type)

    def get(self, key: str) -> bytes:
        """Read the bytes of a key; NotFound when there are none."""
        try:
            with self._translated(checked_key(key)):
                response = self._client.get_object(self._bucket, key)
                try:
                    return _read_all(response, key)
                finally:
                    response.close()
                    response.release_conn()
        except _NoBucket:
            raise NotFound(f"there is no object {key}") from None

    def stat(self, key: str) -> ObjectStat | None:
        """Describe an object; None when there is none."""
        try:
            with self._translated(checked_key(key)):
                known = self._client.stat_object(self._bucket, key)
        except (NotFound, _NoBucket):
            return None
        modified = known.last_modified or datetime.fromtimestamp(0, UTC)
        return ObjectStat(key, known.size or 0, known.content_type or "application/octet-stream", modified)

    def list(self, prefix: str) -> Iterator[str]:
        """Name the keys that start with a prefix, in order."""
        try:
            with self._translated(checked_prefix(prefix)):
                for known in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                    yield str(known.object_name)
        except _NoBucket:
            return

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is harmless."""
        with suppress(_NoBucket), self._translated(checked_key(key)):
            self._client.remove_object(self._bucket, key)

    def copy(self, src: str, dst: str) -> None:
        """Copy an object inside the endpoint; NotFound when there is none."""
        with self._translated(checked_key(src)):
            self._client.copy_object(self._bucket, checked_key(dst), CopySource(self._bucket, src))

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        with self._translated(key):
            self._client.put_object(self._bucket, key, io.BytesIO(data), len(data), content_type=content_type)

    def _make_bucket(self) -> None:
        with self._translated(self._bucket):
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as exc:
                # Another process was quicker: what we wanted is there.
                if exc.code != "BucketAlreadyOwnedByYou":
                    raise

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except S3Error as exc:
            raise _translate(exc, what) from exc
        except (ServerError, InvalidResponseError, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TransientError(f"object store: {type(exc).__name__} at {what}") from exc
        except MinioException as exc:
            raise PermanentError(f"object store: {type(exc).__name__} at {what}") from exc


class _NoBucket(ConfigError):
    """The bucket is not there (yet)."""


def _translate(error: S3Error, what: str) -> AquasceneError:
    code = error.code or "unknown"
    if code == "NoSuchBucket":
        return _NoBucket("the bucket of OBJECT_STORE_URL does not exist; create it")
    if code in _MISSING:
        return NotFound(f"there is no object {what}")
    if code in _OURS:
        return ConfigError(f"the object store refuses us with {code}; check OBJECT_STORE_URL, OBJECT_STORE_ACCESS_KEY and OBJECT_STORE_SECRET_KEY")
    if code in _PASSING or getattr(error.response, "status", 0) >= 500:
        return TransientError(f"object store: {code} at {what}")
    return PermanentError(f"object store: {code} at {what}")


def _read_all(response: urllib3.BaseHTTPResponse, key: str) -> bytes:
    """Read a body within one deadline; urllib3's own time-out starts anew with every packet."""
    deadline, parts = time.monotonic() + WHOLE_OBJECT_SECONDS, []
    while part := response.read(1 << 20):
        parts.append(part)
        if time.monotonic() > deadline:
            raise TransientError(f"object store: {key} took longer than {WHOLE_OBJECT_SECONDS:.0f} s")
    return b"".join(parts)
