"""A Redis for machines without one: RESP3 on a socket, scripts in a real Lua (burner-redis, which Prefect brings along).

It speaks what the product's client sends and nothing more; tests use a true redis-server as well where there is one.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from typing import Any

from burner_redis import BurnerRedis

# burner-redis knows no PTTL inside scripts and leaves expired keys to its own clock: keep the time beside the key.
_PRELUDE = """
local inner, now = redis.call, {now}
local redis = {{call = function(name, key, ...)
  local fields = {{...}}
  if name == 'PTTL' then
    local ends = inner('GET', key .. ':until')
    return ends and math.max(0, tonumber(ends) - now) or -2
  end
  if name == 'SET' then inner('SET', key .. ':until', string.format('%d', now + tonumber(fields[3]))) end
  return inner(name, key, ...)
end}}
"""


class RespServer:
    """One server on a loopback port; `masters` makes it a Sentinel."""

    def __init__(self, password: str = "", masters: dict[str, int] | None = None) -> None:
        self.password, self.masters = password, masters
        self.databases: set[str] = set()
        self.keys: set[str] = set()
        self.answering = True
        self.port = 0
        self._scripts: dict[str, bytes] = {}
        self._store = BurnerRedis()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        known = not self.password
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ValueError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                parts = [await self._bulk(reader) for _ in range(count)]
                while not self.answering:
                    await asyncio.sleep(0.05)
                name = parts[0].upper().decode()
                known = known or (name in {"AUTH", "HELLO"} and parts[-1].decode() == self.password)
                writer.write(await self._answer(name, parts[1:]) if known else b"-NOAUTH Authentication required.\r\n")
                await writer.drain()
        writer.close()

    async def _bulk(self, reader: asyncio.StreamReader) -> bytes:
        length = int((await reader.readuntil(b"\r\n"))[1:])
        return (await reader.readexactly(length + 2))[:-2]

    async def _answer(self, name: str, parts: list[bytes]) -> bytes:
        if name in {"AUTH", "CLIENT", "SELECT"}:
            self.databases |= {parts[0].decode()} if name == "SELECT" else set()
            return b"+OK\r\n"
        if name == "PING":
            return b"+PONG\r\n"
        if name == "HELLO":
            return _encode({b"server": b"redis", b"proto": int(parts[0])})
        if name == "SENTINEL" and self.masters is not None:
            usual = {b"ip": b"127.0.0.1", b"flags": b"master", b"num-other-sentinels": b"2"}
            return _encode([{**usual, b"name": key.encode(), b"port": str(port).encode()} for key, port in self.masters.items()])
        if name == "SCRIPT":
            self._scripts[sha1(parts[1], usedforsecurity=False).hexdigest()] = parts[1]
            return _encode(sha1(parts[1], usedforsecurity=False).hexdigest().encode())
        if name == "EVALSHA":
            script = self._scripts.get(parts[0].decode())
            return await self._run(script, parts[1:]) if script else b"-NOSCRIPT No matching script.\r\n"
        if name == "PTTL":
            return await self._run(b"return redis.call('PTTL', KEYS[1])", [b"1", parts[0]])
        if name == "KEYS":
            return _encode([key.encode() for key in sorted(self.keys)])
        return f"-ERR unknown command '{name}'\r\n".encode()

    async def _run(self, script: bytes, parts: list[bytes]) -> bytes:
        self.keys.add(parts[1].decode())
        text = _PRELUDE.format(now=int(time.time() * 1000)) + script.decode()
        return _encode(await self._store.eval(text, int(parts[0]), *[part.decode() for part in parts[1:]]))


def _encode(value: Any) -> bytes:
    if isinstance(value, dict):
        return f"%{len(value)}\r\n".encode() + b"".join(_encode(key) + _encode(inner) for key, inner in value.items())
    if isinstance(value, list):
        return f"*{len(value)}\r\n".encode() + b"".join(_encode(one) for one in value)
    if isinstance(value, bytes):
        return f"${len(value)}\r\n".encode() + value + b"\r\n"
    return f":{value}\r\n".encode() if isinstance(value, int) else b"$-1\r\n"


@contextmanager
def resp_server(server: RespServer, port: int = 0) -> Iterator[RespServer]:
    """Run a server in a thread of its own."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    stop: asyncio.Event = asyncio.Event()

    async def run() -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", port)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listener.close()

    def thread() -> None:
        loop.run_until_complete(run())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    running = threading.Thread(target=thread, daemon=True)
    running.start()
    started.wait(5)
    yield server
    loop.call_soon_threadsafe(stop.set)
    running.join(5)
