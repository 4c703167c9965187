"""Fetch over HTTP: one guarded request, streamed, with caps on bytes sent, bytes unpacked and time. No redirect, no retry, no proxy, no cookie."""

import time
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Self

import httpcore
import httpx

from aquascene.adapters import clock
from aquascene.adapters.fetchers.guard import Deadline, GuardedBackend, UnsafeAddress
from aquascene.sources.model import Answer, Outcome, Validators
from aquascene.sources.politeness import retry_after_seconds

_BODIES = frozenset({200})
_CHUNK = 65_536


class TooLarge(Exception):
    """The body passed its cap."""


class GuardedTransport(httpx.BaseTransport):
    """httpx over a connection pool that dials through the guard."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=backend, max_connections=32, max_keepalive_connections=8, keepalive_expiry=15
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path)
        # This product only asks: a request has no body.
        answer = self._pool.handle_request(httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class HttpFetcher:
    """The Fetcher port over httpx. Safe to use from several threads."""

    def __init__(
        self,
        user_agent: str,
        loopback_allow: frozenset[str],
        max_body_bytes: int,
        connect_timeout_seconds: float,
        now: Callable[[], datetime] = clock.now,
        private_allow: frozenset[str] = frozenset(),
    ) -> None:
        self._deadline = Deadline()
        self._max_body_bytes = max_body_bytes
        self._connect_timeout_seconds = connect_timeout_seconds
        self._now = now
        headers = {
            "User-Agent": user_agent,
            "Accept": "text/html, application/xhtml+xml, application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.1",
            "Accept-Encoding": "gzip, deflate",
        }
        transport = GuardedTransport(GuardedBackend(loopback_allow, private_allow, self._deadline))
        self._client = httpx.Client(transport=transport, headers=headers, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def get(self, url: str, validators: Validators, timeout_seconds: float) -> Answer:
        """Ask for a URL within a total time; what goes wrong is in the answer."""
        start = time.monotonic()
        self._deadline.at = start + timeout_seconds
        try:
            return self._get(url, validators, timeout_seconds, start)
        except UnsafeAddress as exc:
            return _refused(url, Outcome.UNSAFE_ADDRESS, str(exc), start)
        except (httpcore.TimeoutException, httpx.TimeoutException) as exc:
            is_over = time.monotonic() >= self._deadline.at - 0.05
            return _refused(url, Outcome.TOO_SLOW if is_over else Outcome.UNREACHABLE, str(exc) or f"no answer within {timeout_seconds:g} s", start)
        except (httpcore.ConnectError, httpx.ConnectError) as exc:
            return _refused(url, Outcome.UNREACHABLE, f"cannot connect: {exc}", start)
        except TooLarge as exc:
            return _refused(url, Outcome.TOO_LARGE, str(exc), start)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpx.HTTPError, httpx.InvalidURL, zlib.error, ValueError) as exc:
            return _refused(url, Outcome.FAILED, f"{type(exc).__name__}: {exc}", start)
        finally:
            self._client.cookies.clear()

    def _get(self, url: str, validators: Validators, timeout_seconds: float, start: float) -> Answer:
        timeout = httpx.Timeout(timeout_seconds, connect=min(self._connect_timeout_seconds, timeout_seconds))
        with self._client.stream("GET", url, headers=_conditions(validators), timeout=timeout, follow_redirects=False) as response:
            body = self._read(response) if response.status_code in _BODIES else b""
            return Answer(
                url=url,
                status=response.status_code,
                body=body,
                content_type=response.headers.get("content-type"),
                etag=response.headers.get("etag"),
                last_modified=response.headers.get("last-modified"),
                location=response.headers.get("location"),
                retry_after_seconds=retry_after_seconds(response.status_code, response.headers.get("retry-after"), self._now()),
                elapsed_seconds=time.monotonic() - start,
            )

    def _read(self, response: httpx.Response) -> bytes:
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            raise TooLarge(f"says {declared} bytes, more than {self._max_body_bytes}")
        # iter_raw, because httpx unpacks a whole chunk at once: 64 KB of gzip may be 64 MB.
        unpack = _unpacker(response.headers.get("content-encoding", ""), self._max_body_bytes)
        kept, raw = bytearray(), 0
        for chunk in response.iter_raw(_CHUNK):
            raw += len(chunk)
            kept += unpack(chunk, self._max_body_bytes - len(kept))
            if max(raw, len(kept)) > self._max_body_bytes:
                raise TooLarge(f"more than {self._max_body_bytes} bytes")
        return bytes(kept)


def _refused(url: str, outcome: Outcome, detail: str, start: float) -> Answer:
    return Answer(url=url, refusal=outcome, detail=" ".join(detail.split())[:300], elapsed_seconds=time.monotonic() - start)


def _conditions(validators: Validators) -> dict[str, str]:
    headers = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in headers.items() if value}


def _unpacker(encoding: str, limit: int) -> Callable[[bytes, int], bytes]:
    """Unpack at most one byte more than what is left of the cap, so that passing it shows."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda chunk, left: chunk
    if name in ("gzip", "x-gzip"):
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    elif name == "deflate":
        unpacker = zlib.decompressobj()
    else:
        raise ValueError(f"content-encoding {name!r}, which was not asked for")

    def unpack(chunk: bytes, left: int) -> bytes:
        text = unpacker.decompress(chunk, max(left, 0) + 1)
        if unpacker.unconsumed_tail:
            raise TooLarge(f"more than {limit} bytes unpacked")
        return text

    return unpack
