"""What who shows nothing may do: learn no name, keep nothing busy, hold no memory."""

import asyncio
from contextlib import suppress

import anyio
import pytest

from server.errors import InvalidArguments
from server.settings import Settings
from server.web.places.addresses import ServeOptions, addresses, own_url
from tests.served import HOST, Served, held, serve

CALL = "/api/tools/memory_workspace/list"


async def connected(served: Served, begin: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.site.addresses.port)
    writer.write(begin)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("path", ["/", "/board", "/health", "/mcp", "/metrics", "/enter?code=x", "/nothing", "/leave"])
@pytest.mark.parametrize("headers", [{}, {"cookie": "pm_owner=guessed"}, {"origin": "http://localhost:3000"}], ids=str)
async def test_nobody_is_told_the_name_of_the_dashboard(served: Served, path: str, headers: dict[str, str]) -> None:
    # Who knows it can be sent the cookie of a browser, by serving at that name on another port.
    async with served.http() as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, path, headers=headers)
            assert HOST not in f"{answer.headers}{answer.text}"


async def test_codes_that_do_not_come_keep_nobody_waiting(served: Served) -> None:
    served.site.limits.most_requests = 2
    begun = f"POST /enter HTTP/1.1\r\nhost: {served.site.addresses.home_host}\r\ncontent-length: 100\r\n\r\n".encode()
    slow = [await connected(served, begun) for _ in range(3)]
    async with served.http(await served.token()) as http:
        called, health = await http.post(CALL, json={}), await http.get("/health")
    for _, writer in slow:
        writer.close()

    assert (called.status_code, health.status_code) == (200, 200)


@pytest.mark.parametrize("part", [b"y" * 1000, b"X: y\r\n" * 200], ids=["one", "many"])
async def test_headers_are_not_kept_without_bound(served: Served, part: bytes) -> None:
    reader, writer = await connected(served, b"GET /health HTTP/1.1\r\nX: ")
    with anyio.fail_after(20):
        while not reader.at_eof():
            writer.write(part)
            with anyio.move_on_after(0.01), suppress(ConnectionError):
                await writer.drain()
                assert (await reader.readline()).split()[1:2] in ([], [b"431"])
                break
    writer.close()


async def test_a_head_has_to_come_in_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.web.places.connections.HEAD_SECONDS", 0.05)
    host = served.site.addresses.home_host.encode()
    silent, nothing = await connected(served, b"")
    slow, little = await connected(served, b"GET /health HTTP/1.1\r\nhost:")
    after, again = await connected(served, b"GET /health HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")
    with anyio.fail_after(20):
        assert (await silent.read(), await slow.read()) == (b"", b"")
        assert b"schema" in await after.readuntil(b"}")
        again.write(b"GET /health HTTP/1.1\r\nhost:")
        assert await after.read() == b""
    for writer in (nothing, little, again):
        writer.close()


UPGRADE = b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01 hello\r\n\r\n", UPGRADE, b"GET /\x1b[2J HTTP/1.1\r\n\r\n"], ids=str)
async def test_what_is_no_request_fills_no_log(served: Served, caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    reader, writer = await connected(served, sent)
    with anyio.fail_after(20):
        assert (await reader.readline()).split()[1] in (b"400", b"421")
    writer.close()
    assert caplog.messages == []


async def test_strangers_on_a_network_are_told_no_path(settings: Settings) -> None:
    options = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    async with held(serve(settings, options)) as served, served.http() as http:
        path = served.site.state.store.settings.database
        path.rename(path.with_suffix(".away"))
        answers = [await http.get("/health"), await http.get("/", headers={"accept": "text/html"})]
        path.with_suffix(".away").rename(path)

    assert [answer.status_code for answer in answers] == [503, 503]
    assert not [answer.text for answer in answers if path.name in answer.text]


async def test_cookies_of_others_beside_it_do_not_hide_that_of_the_owner(served: Served) -> None:
    browser = await served.owner()
    for others in ('seen={"a":1}', "list=[1, 2]", "mode", "a=b=c"):
        answer = await browser.get("/board", headers={"cookie": f"{others}; {browser.headers['cookie']}"})
        assert answer.status_code == 200, others


@pytest.mark.parametrize(
    ("options", "port", "home", "host"),
    [
        (ServeOptions(), 80, f"http://{HOST}", HOST),
        (ServeOptions(host_name="Memory.Local"), 7437, "http://memory.local:7437", "memory.local:7437"),
        (
            ServeOptions(public_url="https://Memory.example.com:443/"),
            7437,
            "https://memory.example.com",
            "memory.example.com",
        ),
        (
            ServeOptions(public_url="https://müller.example"),
            7437,
            "https://xn--mller-kva.example",
            "xn--mller-kva.example",
        ),
        (ServeOptions(public_url="https://m.example:8443"), 7437, "https://m.example:8443", "m.example:8443"),
        (ServeOptions("2001:DB8:0::1"), 443, "http://[2001:db8::1]:443", "[2001:db8::1]:443"),
    ],
    ids=str,
)
def test_a_name_is_what_browsers_make_of_it(options: ServeOptions, port: int, home: str, host: str) -> None:
    places = addresses(options, HOST, port)
    assert (places.home, places.home_host) == (home, host)
    assert host in places.hosts
    assert own_url(options, port).partition("//")[2] in places.hosts


@pytest.mark.parametrize("name", ["memory.local:80", "a/b", "a b", "", "a\nb", "x@y", "-" * 70])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    for options in (ServeOptions(host_name=name), ServeOptions(behind_proxy=True, public_url=f"https://{name}/x")):
        with pytest.raises(InvalidArguments):
            options.check()
