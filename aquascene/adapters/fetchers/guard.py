"""The only way out to strangers: resolve once, check the address, dial that address, keep the deadline.

httpcore asks this backend for every new connection, also after a redirect, so no name can be checked
as one address and dialled as another (rebinding). TLS and the Host header keep the name.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from aquascene.sources.addresses import pair_of, refusal


class UnsafeAddress(Exception):
    """The name resolves to nothing that may be dialled."""


class Deadline(threading.local):
    """The end of the request that this thread is in; httpx's own time-outs are per read, which a slow sender outlives."""

    at: float = float("inf")

    def cap(self, timeout: float | None) -> float:
        """The smaller of a time-out and what is left; ReadTimeout when nothing is."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for this request is used up")
        return left if timeout is None else min(timeout, left)


class GuardedBackend(httpcore.NetworkBackend):
    """Dials public addresses and the loopback and private pairs of the settings, nothing else."""

    def __init__(self, loopback_allow: frozenset[str], private_allow: frozenset[str], deadline: Deadline) -> None:
        self._loopback_allow, self._private_allow = loopback_allow, private_allow
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        addresses = self._resolve(host, port, self._deadline.cap(timeout))
        private = pair_of(host, port) in self._private_allow
        refusals = {address: refusal(address, port, self._loopback_allow, private=private) for address in addresses}
        safe = [address for address, reason in refusals.items() if reason is None]
        if not safe:
            raise UnsafeAddress("; ".join(filter(None, refusals.values())))
        return self._dial(safe[:3], port, timeout, socket_options)

    def _dial(self, addresses: list[str], port: int, timeout: float | None, socket_options: Iterable[Any] | None) -> httpcore.NetworkStream:
        for last, address in zip([False] * (len(addresses) - 1) + [True], addresses, strict=True):
            try:
                stream = self._sockets.connect_tcp(address, port, self._deadline.cap(timeout), socket_options=socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
            else:
                return _DeadlinedStream(stream, self._deadline)
        raise AssertionError("unreachable: the last address either answers or raises")

    def _resolve(self, host: str, port: int, timeout: float) -> list[str]:
        # getaddrinfo knows no time-out; a thread that nobody waits for any more does no harm.
        answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()
        threading.Thread(target=_look_up, args=(host, port, answers), daemon=True, name="resolve").start()
        try:
            answer = answers.get(timeout=timeout)
        except queue.Empty:
            raise httpcore.ConnectTimeout(f"{host} did not resolve in time") from None
        if isinstance(answer, OSError):
            raise httpcore.ConnectError(f"{host} does not resolve: {answer.strerror or answer}")
        return answer


def _look_up(host: str, port: int, answers: "queue.SimpleQueue[list[str] | OSError]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as exc:
        answers.put(exc if isinstance(exc, OSError) else OSError(str(exc)))


class _DeadlinedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.cap(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> httpcore.NetworkStream:
        return _DeadlinedStream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.cap(timeout)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
