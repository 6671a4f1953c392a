"""What every request passes first, whatever it asks for."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from server.errors import InvalidArguments
from server.web import event_stream
from server.web.health import proof
from server.web.limits import BODY_BYTES
from server.web.places.addresses import ServeOptions
from tests.served import Served
from tests.waiting import until

CALL = "/api/tools/memory_workspace/list"
STRANGE = [
    *("evil.example", "evil.example:{port}", "localhost", "127.0.0.1:1", "pm-test.localhost.evil.example:{port}"),
    *(
        "localhost.:{port}",
        "evil@localhost:{port}",
        "0177.0.0.1:{port}",
        "127.1:{port}",
        "0.0.0.0:{port}",
        "[::]:{port}",
    ),
]
BODIES = [b"[1]", b"{", b"NaN", b'{"limit": NaN}', b"\xff", b"[" * 100_000]
NOWHERE = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/nothing",
]


@pytest.mark.parametrize("host", STRANGE)
@pytest.mark.parametrize("path", ["/health", "/mcp", CALL, "/enter"])
async def test_a_name_that_is_not_ours_is_refused_everywhere(served: Served, host: str, path: str) -> None:
    name = host.format(port=served.site.addresses.port)
    async with served.http(await served.token()) as http:
        answer = await http.request("GET" if path in ("/health", "/enter") else "POST", path, headers={"host": name})

    assert answer.status_code == 421


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://evil.example", "null"])
async def test_a_page_of_another_origin_is_refused_even_with_a_token(served: Served, origin: str) -> None:
    async with served.http(await served.token()) as http:
        answers = [await http.post(path, json={}, headers={"origin": origin}) for path in ("/mcp", CALL)]

    assert {answer.status_code for answer in answers} == {403}
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)


@pytest.mark.parametrize("path", ["/health", "/nothing", "/enter?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/mcp"])
async def test_every_answer_keeps_browsers_from_more_than_they_should_do(served: Served, path: str) -> None:
    async with served.http() as http:
        answer = await http.get(path)

    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text


async def test_the_health_of_the_server_proves_which_it_is(served: Served) -> None:
    challenge = "0a" * 32
    async with served.http() as http:
        plain = (await http.get("/health")).json()
        told = (await http.get("/health", params={"challenge": challenge})).json()
        refused = await http.get("/health", params={"challenge": "short"})

    assert set(plain) == {"name", "version", "schema"}
    assert told["proof"] == proof(served.site.nonce, challenge)
    assert told["proof"] != proof("of another", challenge)
    assert served.site.nonce not in str(told)
    assert refused.status_code == 400


async def test_a_body_may_be_so_large_and_no_larger(served: Served) -> None:
    async with served.http(await served.token()) as http:
        answers = [
            await http.post(path, content=b"[" * (BODY_BYTES + 1), headers={"content-type": "application/json"})
            for path in (CALL, "/mcp")
        ]
        after = await http.post(CALL, json={})

    assert {answer.status_code for answer in answers} == {413}
    assert after.status_code == 200


async def begun(
    served: Served, path: str, count: int, token: str = ""
) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    """Announce a body that never comes, and return what reads the answer and what hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.site.addresses.port)
    bearer = f"authorization: Bearer {token}\r\n" if token else ""
    host = served.site.addresses.home_host
    writer.write(f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {count}\r\n{bearer}\r\n{{".encode())
    await writer.drain()
    return reader, writer.close


@pytest.mark.parametrize("path", ["/mcp", CALL, "/", "/do/memory_plan/create", "/leave", "/nothing"])
async def test_a_stranger_holds_nothing_up_with_a_body_that_does_not_come(served: Served, path: str) -> None:
    reader, hang_up = await begun(served, path, 1_000_000)
    with anyio.fail_after(20):
        assert (await reader.readline()).split()[1] in (b"200", b"401", b"403", b"404", b"405")
    await until(lambda: served.site.limits.under_way == 0)
    hang_up()


async def test_a_stranger_sends_a_code_and_no_more(served: Served) -> None:
    reader, hang_up = await begun(served, "/enter", 1_000_000)
    with anyio.fail_after(20):
        assert (await reader.readline()).split()[1] == b"413"
    hang_up()


@pytest.mark.parametrize("path", ["/mcp", "/enter"])
async def test_a_body_has_to_come_in_time(served: Served, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("server.web.bodies.BODY_SECONDS", 0.05)
    reader, hang_up = await begun(served, path, 1000, await served.token() if path == "/mcp" else "")
    with anyio.fail_after(20):
        assert (await reader.readline()).split()[1] == b"408"
    hang_up()


@pytest.mark.parametrize("body", BODIES, ids=lambda b: str(b[:15]))
async def test_a_body_that_is_no_object_is_told(served: Served, body: bytes) -> None:
    async with served.http(await served.token()) as http:
        answer = await http.post(CALL, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_arguments"


async def test_a_form_of_a_page_is_no_call(served: Served) -> None:
    async with served.http(await served.token()) as http:
        answer = await http.post(CALL, data={"limit": "1"})

    assert answer.status_code == 415


async def test_a_call_answers_as_a_tool_does(served: Served) -> None:
    async with served.http(await served.token()) as http:
        unknown = await http.post("/api/tools/memory_nothing/list", json={})
        wrong = await http.post(CALL, json={"limit": 0})
        gone = await http.post("/api/tools/memory_plan/get", json={"plan_id": "plan_1rqewqexykb7"})
        method, address = await http.get(CALL), await http.post(f"{CALL}?limit=1", json={})

    assert [one.status_code for one in (unknown, wrong, gone, method, address)] == [404, 400, 404, 405, 400]
    assert gone.json()["error"]["code"] == "not_found"


async def test_one_token_asks_only_so_often_and_does_not_slow_others(served: Served) -> None:
    served.site.limits.burst, served.site.limits.per_second = 3, 0.001
    async with served.http(await served.token("hasty")) as http, served.http(await served.token("calm")) as other:
        codes = [(await http.post(CALL, json={})).status_code for _ in range(5)]
        calm = await other.post(CALL, json={})

    assert codes == [200, 200, 200, 429, 429]
    assert calm.status_code == 200


async def test_more_requests_than_are_done_at_a_time_are_told_to_come_again(served: Served) -> None:
    served.site.limits.most_requests = 0
    async with served.http(await served.token()) as http:
        answer = await http.post(CALL, json={})
        served.site.limits.most_requests = 1
        after = await http.post(CALL, json={})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert after.status_code == 200


@pytest.mark.parametrize("path", ["/mcp", CALL])
async def test_one_token_holds_no_more_than_its_share(served: Served, path: str) -> None:
    served.site.limits.most_requests = 6
    greedy = await served.token("greedy")
    slow = [await begun(served, path, 1000, greedy) for _ in range(6)]
    await until(lambda: served.site.limits.under_way == 3)
    async with served.http(greedy) as http, served.http(await served.token("calm")) as other:
        own, others = await http.post(CALL, json={}), await other.post(CALL, json={})
        for _, hang_up in slow:
            hang_up()
        await until(lambda: served.site.limits.under_way == 0)
        after = await http.post(CALL, json={})

    assert (own.status_code, own.headers["retry-after"], others.status_code) == (429, "1", 200)
    assert after.status_code == 200


async def test_one_token_follows_no_more_than_its_share(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MOST_FOLLOWERS", 2)
    async with served.http(await served.token("greedy")) as http, served.http(await served.token("calm")) as other:
        async with http.stream("GET", "/events") as first:
            await anext(first.aiter_lines())
            again = await http.get("/events")
            async with other.stream("GET", "/events") as its:
                assert its.status_code == 200
        await until(lambda: served.site.hub.followers == 0)
        async with http.stream("GET", "/events") as after:
            assert after.status_code == 200

    assert again.status_code == 429


@pytest.mark.parametrize("path", NOWHERE)
async def test_what_is_not_there_is_not_found(served: Served, path: str) -> None:
    async with served.http() as http:
        assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (ServeOptions("0.0.0.0"), "--tls-cert"),
        (ServeOptions("192.168.1.5"), "--behind-proxy"),
        (ServeOptions(behind_proxy=True), "--public-url"),
        (ServeOptions("0.0.0.0", behind_proxy=True, public_url="http://x.example"), "https://"),
        (ServeOptions("0.0.0.0", behind_proxy=True, public_url="https://x.example/path"), "no path"),
        (ServeOptions(tls_cert=Path("x")), "go together"),
        (ServeOptions("127.0.0.2"), "--host-name"),
    ],
    ids=str,
)
def test_what_would_send_secrets_in_the_clear_is_refused(options: ServeOptions, told: str) -> None:
    with pytest.raises(InvalidArguments, match=told):
        options.check()


def test_the_loopback_and_what_has_tls_may_be_served() -> None:
    for options in (
        ServeOptions(),
        ServeOptions("::1"),
        ServeOptions("127.0.0.2", host_name="127.0.0.2"),
        ServeOptions("0.0.0.0", behind_proxy=True, public_url="https://x.example"),
        ServeOptions("10.0.0.1", tls_cert=Path("c"), tls_key=Path("k")),
    ):
        options.check()
