"""A proxy in front of an S3 server that counts requests and makes chosen ones go wrong."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.s3 import S3Server

ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>made up by a test</Message></Error>"""


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def kind(self) -> str:
        """The method and, if there are any, the names of the parameters."""
        names = sorted(pair.partition("=")[0] for pair in urlsplit(self.target).query.split("&"))
        return f"{self.method} {'&'.join(names)}".strip()

    @property
    def path(self) -> str:
        """What is asked for, without parameters."""
        return urlsplit(self.target).path


@dataclass(frozen=True)
class Answer:
    """What a client gets: bytes of head and body, then the end of the connection.

    Attributes:
        head: Status line and headers, with their end.
        body: The body as it goes over the wire.
        cut: Send only so many bytes of the body, then reset the connection; -1 sends not even
            the head.
        delay: Seconds to wait first.
    """

    head: bytes
    body: bytes = b""
    cut: int | None = None
    delay: float = 0.0


Fault = Callable[[Answer], Answer]


def status(code: int, name: str, **headers: str) -> Fault:
    """Answer with an error instead; the server has done its work nevertheless."""
    body = ERROR.format(code=name).encode()
    fields = {
        "Content-Type": "application/xml",
        "Content-Length": str(len(body)),
        "x-amz-request-id": "R1",
        **headers,
    }
    lines = [f"HTTP/1.1 {code} Made Up", *(f"{key}: {value}" for key, value in fields.items())]
    return lambda _: Answer("\r\n".join([*lines, "", ""]).encode(), body)


def cut(after: int) -> Fault:
    """Reset the connection after some bytes of the body."""
    return lambda answer: replace(answer, cut=after)


def lost() -> Fault:
    """Reset the connection instead of answering, after the server has done its work."""
    return cut(-1)


def flipped(at: int) -> Fault:
    """Change one bit of the body."""

    def change(answer: Answer) -> Answer:
        body = bytearray(answer.body)
        body[at] ^= 1
        return replace(answer, body=bytes(body))

    return change


def with_header(name: str, value: str | None) -> Fault:
    """Replace a header of the answer, or leave it out."""

    def change(answer: Answer) -> Answer:
        first, *lines = answer.head.decode("latin-1").split("\r\n")
        kept = [line for line in lines if not line.lower().startswith(f"{name.lower()}:")]
        added = [] if value is None else [f"{name}: {value}"]
        return replace(answer, head="\r\n".join([first, *added, *kept]).encode("latin-1"))

    return change


def shortened(size: int) -> Fault:
    """Send only so many bytes, as if there were no more."""
    relabelled = with_header("Content-Length", str(size))
    return lambda answer: replace(relabelled(answer), body=answer.body[:size])


def late(seconds: float) -> Fault:
    """Answer only after a while."""
    return lambda answer: replace(answer, delay=seconds)


@dataclass
class Rule:
    """A fault for the next requests of a kind.

    Attributes:
        fault: What happens.
        method: To requests with this method; "" is any.
        times: How often.
        reaches_server: Whether the server sees the request.
        where: Which ones, if not all.
    """

    fault: Fault
    method: str = ""
    times: int = 1
    reaches_server: bool = True
    where: Callable[[Request], bool] = lambda _: True

    def fits(self, request: Request) -> bool:
        """Tell whether it is for this request."""
        return bool(self.times) and self.method in ("", request.method) and self.where(request)


@dataclass
class FaultProxy:
    """Passes requests on one by one, each over a connection of its own.

    Attributes:
        port: Of the server behind it.
        rules: The first one that fits a request is applied to it.
        seen: The requests, in the order of their arrival.
        spoil: So many bodies are changed on their way to the server.
        answered: Bytes of the bodies of all answers so far.
    """

    port: int
    rules: list[Rule] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    spoil: int = 0
    answered: int = 0

    def start(self) -> None:
        """Start to listen."""
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

        async def serve() -> None:
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            async with server:
                await self._stop.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),))
        self._thread.start()
        ready.wait(10)

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def add(self, fault: Fault, method: str = "", times: int = 1, **more: Any) -> None:
        """Add a rule."""
        self.rules.append(Rule(fault, method, times, **more))

    def kinds(self) -> list[str]:
        """Return the kinds of the requests so far."""
        return [request.kind for request in self.seen]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read_request(reader, writer)
        self.seen.append(request)
        rule = next((rule for rule in self.rules if rule.fits(request)), None)
        if rule is not None:
            rule.times -= 1
        answer = Answer(b"")
        if rule is None or rule.reaches_server:
            answer = await self._forward(self._spoilt(request))
            self.answered += len(answer.body)
        await _send(writer, rule.fault(answer) if rule is not None else answer)

    def _spoilt(self, request: Request) -> Request:
        """Change one bit of a body on its way to the server, if that was asked for."""
        if not self.spoil or request.method != "PUT":
            return request
        self.spoil -= 1
        return replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1]))

    async def _forward(self, request: Request) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        hop = ("connection", "expect")
        lines = [f"{k}: {v}" for k, v in request.headers if k.lower() not in hop]
        head = [f"{request.method} {request.target} HTTP/1.1", *lines, "Connection: close", "", ""]
        writer.write("\r\n".join(head).encode("latin-1") + request.body)
        await writer.drain()
        head_bytes = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read(-1)
        writer.close()
        return Answer(head_bytes, body)


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((k, v.strip()) for k, _, v in (line.partition(":") for line in lines))
    lower = {k.lower(): v for k, v in headers}
    if "100-continue" in lower.get("expect", ""):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    body = await reader.readexactly(int(lower.get("content-length", 0)))
    return Request(method, target, headers, body)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    await asyncio.sleep(answer.delay)
    if answer.cut is None:
        head = answer.head.removesuffix(b"\r\n")
        if b"\r\nconnection: close" not in head.lower():
            head += b"Connection: close\r\n"
        writer.write(head + b"\r\n" + answer.body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return
    if answer.cut >= 0:
        writer.write(answer.head + answer.body[: answer.cut])
        await writer.drain()
    connection = writer.get_extra_info("socket")
    # Whoever lingers for no time sends a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture
def s3_proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    """A proxy in front of the shared server."""
    proxy = FaultProxy(s3_server.port)
    proxy.start()
    yield proxy
    proxy.close()
