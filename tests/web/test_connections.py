"""What a connection may do: neither what is sent over it nor what is not may hold anything for ever."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest

from tests.served import Served
from tests.waiting import until

LISTED = "/api/tools/memory_workspace/list"
ENDS = "server.web.places.connections.HEAD_SECONDS"
STALL = "server.web.places.connections.STALL_SECONDS"


class Line:
    """A connection, spoken to by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader, self.writer, self.host = reader, writer, host

    def send(self, begin: str, *headers: str, body: bytes = b"") -> None:
        self.writer.write("\r\n".join([f"{begin} HTTP/1.1", f"host: {self.host}", *headers, "", ""]).encode() + body)

    async def status(self) -> int:
        """Return the status of the next answer, once all of it is there."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        assert size, head
        await self.reader.readexactly(int(size[1]))
        return int(head.split()[1])

    async def ended(self) -> bytes:
        """Return all that comes until the other end is closed."""
        found = b""
        with suppress(ConnectionError):
            while part := await self.reader.read(65536):
                found += part
        return found


@asynccontextmanager
async def opened(served: Served) -> AsyncGenerator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.site.addresses.port)
    try:
        with anyio.fail_after(30):
            yield Line(reader, writer, f"127.0.0.1:{served.site.addresses.port}")
    finally:
        writer.close()


async def test_what_stands_behind_a_body_is_no_header(served: Served) -> None:
    token = await served.token()
    chunked = ["transfer-encoding: chunked", "content-type: application/json"]
    async with opened(served) as line:
        line.send(f"POST {LISTED}", *chunked, body=f"2\r\n{{}}\r\n0\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        assert await line.status() == 401
        line.send(
            f"POST {LISTED}", *chunked, f"authorization: Bearer {token}", body=b"2\r\n{}\r\n0\r\nhost: evil\r\n\r\n"
        )
        assert await line.status() == 200


@pytest.mark.parametrize("part", [b"x: " + b"y" * 60_000, b"x: y\r\n" * 10_000], ids=["one", "many"])
@pytest.mark.parametrize("begin", [b"0\r\n", b"1;"], ids=["trailers", "extensions"])
async def test_what_stands_around_a_body_is_not_kept_without_bound(served: Served, begin: bytes, part: bytes) -> None:
    sent = 0
    async with opened(served) as line:
        line.send("POST /mcp", "transfer-encoding: chunked", body=begin)
        with suppress(ConnectionError):
            while sent < 20_000_000:
                line.writer.write(part)
                await line.writer.drain()
                sent += len(part)
    assert sent < 20_000_000


@pytest.mark.parametrize("behind", [b"1", b""], ids=["little", "nothing"])
async def test_a_body_that_nobody_reads_has_to_come_in_time(
    served: Served, monkeypatch: pytest.MonkeyPatch, behind: bytes
) -> None:
    monkeypatch.setattr(ENDS, 0.05)
    async with opened(served) as line:
        line.send("POST /mcp", "content-length: 1000")
        assert await line.status() == 401
        line.writer.write(behind)
        assert await line.ended() == b""


async def test_between_requests_nothing_keeps_a_connection_open(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ENDS, 0.05)
    async with opened(served) as line:
        line.send("GET /health")
        assert await line.status() == 200
        line.writer.write(b"\r\n")
        assert await line.ended() == b""


async def test_a_connection_that_waits_for_its_answer_stays_open(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ENDS, 0.05)
    token = await served.token()
    async with opened(served) as line:
        line.send("GET /events", f"authorization: Bearer {token}")
        await line.reader.readuntil(b"retry:")
        with anyio.move_on_after(0.5):
            await line.ended()
        line.reader.feed_data(b"")
        assert not line.reader.at_eof()


async def test_requests_may_follow_each_other_at_once(served: Served) -> None:
    body = b" " * 70_000 + b"{}"
    headers = [f"authorization: Bearer {await served.token()}", "content-type: application/json"]
    async with opened(served) as line:
        line.send(f"POST {LISTED}", *headers, f"content-length: {len(body)}", body=body + b"GET /health HT")
        assert await line.status() == 200
        line.writer.write(f"TP/1.1\r\nhost: {line.host}\r\n\r\n".encode())
        assert await line.status() == 200


async def test_who_hangs_up_with_requests_in_line_is_followed_no_more(served: Served) -> None:
    token = await served.token()
    async with opened(served) as line:
        line.send("GET /health")
        for _ in range(3):
            line.send("GET /events", f"authorization: Bearer {token}")
        assert await line.status() == 200
        await line.reader.readuntil(b"retry:")
        assert served.site.hub.followers == 1
    await until(lambda: served.site.hub.followers == 0)


async def test_who_takes_no_answer_holds_no_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STALL, 0.05)
    async with opened(served) as line:
        for _ in range(2000):
            line.send("GET /static/page.js")
        await until(lambda: served.site.limits.under_way > 0)
        await until(lambda: served.site.limits.under_way == 0, 30)
        line.writer.transport.abort()


async def test_who_takes_an_answer_slowly_gets_all_of_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STALL, 0.2)
    count, found = 300, bytearray()
    async with opened(served) as line:
        for _ in range(count):
            line.send("GET /static/page.js")
        for _ in range(10):
            found += await line.reader.read(100_000)
            await asyncio.sleep(0.1)
        while found.count(b"HTTP/1.1 200") < count:
            found += await line.reader.read(1_000_000)


async def test_who_takes_no_events_is_followed_by_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(STALL, 0.05)
    token, hub = await served.token(), served.site.hub
    async with opened(served) as line:
        line.send("GET /events", f"authorization: Bearer {token}")
        await line.reader.readuntil(b"retry:")
        [follower] = hub._followers

        follower.offer(hub.position + 1, b"x" * 50_000_000)
        await until(lambda: hub.followers == 0, 30)
    assert caplog.messages == []
