"""What `serve` must reach: pages, calls, the stream of events, its start and its end; part of `bench.py`.

The floor of calls and starts is a bare server of the same SDK over HTTP with the same options (`bench_echo_http.py`).
Requests are written and read by hand over connections that stay, so that no client's own time hides the server's.
"""

import asyncio
import http.client
import json
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bench_store
from bench_figures import Figure, sized, timed

from server.models.approvals import Word
from server.settings import DATABASE_NAME, Settings
from server.store import open_store
from server.web.access import add_token
from server.web.links import new_link

ROOT = Path(__file__).resolve().parent.parent
RUNS = 40
STARTS = 7
CALLS = 400
CALLS_A_SECOND = 50
CONNECTIONS = 10
LONG_PLAN, SHORT_PLAN = 1000, 20  # steps
BATCH, BATCH_SECONDS = 20, 0.12  # calls, and how long they take at least: a visitor is served 200 a second
DEBOUNCE_SECONDS = 0.25  # of a page, which asks anew so long after the first event
CHANGES = 40
PATIENCE = 30.0
PAGE_BAR_MS, FRAGMENT_BAR_MS, CHANGE_BAR_MS, LOADED_BAR_MS, END_BAR_MS = 100, 30, 500, 100, 2000
CALL_BAR, START_BAR, GROWTH_BAR = 1.5, 2.0, 1.1
PROTOCOL = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
EVENT = re.compile(rb"id: (\d+)\ndata: ")
Json = dict[str, Any]


@dataclass
class WebPeer:
    """A server process that answers over HTTP, and a connection to it."""

    process: subprocess.Popen[bytes]
    url: str
    token: str = ""
    home: str = ""
    cookie: str = ""
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def rss(self) -> float:
        """Return the resident memory in MiB."""
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return int(listed.stdout) / 1024

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[bytes, float]:
        """Return what is answered, and the seconds until all of it was there."""
        begun = time.perf_counter()
        self.connection.request(method, path, body or None, headers)
        answer = self.connection.getresponse()
        found = answer.read()
        took = time.perf_counter() - begun
        if answer.status != http.client.OK:
            raise SystemExit(f"{method} {path} was answered with {answer.status}: {found[:500]!r}")
        return found, took

    def page(self, path: str) -> tuple[bytes, float]:
        return self.ask("GET", path, host=urlsplit(self.home).netloc, cookie=self.cookie)

    def call(self, tool: str, arguments: Json) -> tuple[str, float]:
        body, headers = mcp_call(tool, arguments, self.token)
        found, took = self.ask("POST", "/mcp", body, **headers)
        result = json.loads(found)["result"]
        text: str = result["content"][0]["text"]
        if result.get("isError"):
            raise SystemExit(f"{tool} {arguments} was refused: {text}")
        return text, took

    def end(self) -> float:
        """Ask it to end, and return the seconds that it took."""
        self.connection.close()
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return time.perf_counter() - begun


def mcp_call(tool: str, arguments: Json, token: str) -> tuple[bytes, dict[str, str]]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    return body, {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": PROTOCOL,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


def started(words: Sequence[str]) -> tuple[WebPeer, float]:
    """Start a server, and return it with the seconds until it answered for the first time."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", *words],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "scripts")))},
    )
    assert process.stdout
    while not (found := re.search(rb"http://[\w.:]+", process.stdout.readline())):
        if process.poll() is not None:
            raise SystemExit(f"{words} ended with code {process.returncode}")
    peer = WebPeer(process, found[0].decode())
    peer.connection.request("GET", "/health")
    peer.connection.getresponse().read()
    return peer, time.perf_counter() - begun


@contextmanager
def ours(data: Path) -> Generator[WebPeer]:
    """Serve a data root in a process of its own; with a token for calls and a cookie for pages."""
    token = asyncio.run(_token(data))
    peer, _ = started(serving(data))
    try:
        peer.token, peer.home = token, _home(data)
        link = asyncio.run(_link(data, peer.home))
        peer.cookie = _let_in(peer, link)
        yield peer
    finally:
        if peer.process.poll() is None:
            peer.end()


def serving(data: Path) -> list[str]:
    return ["-m", "server", "--data-root", str(data), "serve", "--port", "0"]


def echoing(answers: Path) -> list[str]:
    return [str(ROOT / "scripts" / "bench_echo_http.py"), str(answers)]


async def _token(data: Path) -> str:
    db = await open_store(Settings(data_root=data))
    try:
        return await add_token(db, f"bench {time.time()}", "agent", Word("terminal"))
    finally:
        await db.close()


async def _link(data: Path, home: str) -> str:
    db = await open_store(Settings(data_root=data))
    try:
        return await new_link(db, home)
    finally:
        await db.close()


def _home(data: Path) -> str:
    return json.loads((data / "serve" / "running.json").read_text(encoding="utf-8"))["home"]


def _let_in(peer: WebPeer, link: str) -> str:
    body = f"code={link.partition('code=')[2]}"
    host = urlsplit(peer.home).netloc
    sent = {"host": host, "origin": peer.home, "sec-fetch-site": "same-origin"}
    peer.connection.request("POST", "/enter", body, {**sent, "content-type": "application/x-www-form-urlencoded"})
    answer = peer.connection.getresponse()
    answer.read()
    return (answer.getheader("set-cookie") or "").partition(";")[0]


def figures(root: Path, *, followers: int, seconds: int) -> Iterator[Figure]:
    """Build a store of 50,000 steps, and yield what serving it takes."""
    data = root / "web"
    asyncio.run(bench_store.build(data, bench_store.SMALL))
    answers = root / "answers.json"
    yield from _starts(data, answers)
    with ours(data) as peer:
        plan_id = _plan(peer, root, LONG_PLAN)
        yield from _pages(peer, data, plan_id)
        yield from _calls(peer, answers, _plan(peer, root, SHORT_PLAN))
        yield from asyncio.run(_changes(peer, plan_id))
        yield from asyncio.run(_loaded(peer, data, plan_id, followers, seconds))
    yield from _ends(data)


def _starts(data: Path, answers: Path) -> Iterator[Figure]:
    answers.write_text("{}", encoding="utf-8")
    took: tuple[list[float], list[float]] = ([], [])
    for words, times in [(serving(data), took[0]), (echoing(answers), took[1])] * STARTS:
        peer, seconds = started(words)
        times.append(seconds)
        peer.end()
    floor = statistics.median(took[1])
    judged = statistics.median(took[0]) / floor
    yield timed("serve: start to /health", took[0], 0.9, floor=floor, judged=judged, bar=START_BAR)


def _plan(peer: WebPeer, root: Path, steps: int) -> str:
    """Make a plan of ten phases, and return its id."""
    project = root / "project-of-the-web"
    project.mkdir(exist_ok=True)
    peer.call("memory_workspace", {"action": "register", "workspace_path": str(project)})
    phases = [
        {"name": f"Phase {n}", "steps": [{"task": f"Do part {i} of phase {n}"} for i in range(steps // 10)]}
        for n in range(10)
    ]
    plan = {"action": "create", "title": f"A plan of {steps}", "phases": phases, "workspace_path": str(project)}
    return json.loads(peer.call("memory_plan", plan)[0])["plan_id"]


def _pages(peer: WebPeer, data: Path, plan_id: str) -> Iterator[Figure]:
    """Pages as a browser asks for them, and as a page that is open asks for what changed."""
    with sqlite3.connect(data / DATABASE_NAME) as db:
        [(home, some)] = db.execute("SELECT workspace_id, plan_id FROM plans WHERE archived_at IS NULL LIMIT 1")
    db.close()
    whole = {
        "/": "/", "/board": "/board", "board of a workspace": f"/w/{home}", "plan of 100 steps": f"/p/{some}",
        f"plan of {LONG_PLAN} steps": f"/p/{plan_id}",
    }  # fmt: skip
    for name, path in whole.items():
        yield _page(peer, f"page {name}", path, PAGE_BAR_MS)
    text = peer.page(f"/p/{plan_id}")[0].decode()
    yield sized(f"page plan of {LONG_PLAN} steps", "bytes", len(text))
    [part, *_] = re.findall(r'data-part="([^"]+)"', text)
    yield _page(peer, f"fragment phase of {LONG_PLAN // 10} steps", part, FRAGMENT_BAR_MS)


def _page(peer: WebPeer, name: str, path: str, bar: float) -> Figure:
    peer.page(path)
    took = [peer.page(path)[1] for _ in range(RUNS)]
    return timed(name, took, 0.9, judged=statistics.median(took) * 1000, bar=bar)


def _calls(peer: WebPeer, answers: Path, plan_id: str) -> Iterator[Figure]:
    """Calls by turns with a bare server that answers the same texts."""
    with_plan = {"plan_id": plan_id}
    calls: dict[str, tuple[str, Json]] = {
        "plan get": ("memory_plan", {"action": "get", **with_plan}),
        "steps list": ("memory_steps", {"action": "list", **with_plan, "limit": 20}),
    }
    texts = {name: peer.call(*call)[0] for name, call in calls.items()}
    answers.write_text(json.dumps(texts), encoding="utf-8")
    echo, _ = started(echoing(answers))
    for name, call in calls.items():
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(CALLS // BATCH):
            took[0].extend(peer.call(*call)[1] for _ in range(BATCH))
            took[1].extend(echo.call("echo", {"name": name})[1] for _ in range(BATCH))
            time.sleep(BATCH_SECONDS)
        floor = statistics.median(took[1])
        judged = statistics.median(took[0]) / floor
        yield timed(f"/mcp {name}", took[0], 0.99, floor=floor, judged=judged, bar=CALL_BAR)
    echo.end()


@asynccontextmanager
async def _following(peer: WebPeer) -> AsyncGenerator[asyncio.StreamReader]:
    """Follow the stream; the reader stands behind the head and the first id."""
    place = urlsplit(peer.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(f"GET /events HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: Bearer {peer.token}\r\n\r\n".encode())
    await reader.readuntil(b"\n\n")
    try:
        yield reader
    finally:
        writer.close()


async def _post(
    peer: WebPeer, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], tool: str, arguments: Json
) -> float:
    """Make a call over a connection that stays, and return the seconds that it took."""
    body, headers = mcp_call(tool, arguments, peer.token)
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reader, writer = line
    begun = time.perf_counter()
    head = f"POST /mcp HTTP/1.1\r\nhost: {urlsplit(peer.url).netloc}\r\n{named}content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    told = await reader.readuntil(b"\r\n\r\n")
    size = re.search(rb"content-length: (\d+)", told, re.IGNORECASE)
    if not told.startswith(b"HTTP/1.1 200") or not size:
        raise SystemExit(f"a call was answered with {told[:200]!r}")
    await reader.readexactly(int(size[1]))
    return time.perf_counter() - begun


async def _changes(peer: WebPeer, plan_id: str) -> list[Figure]:
    """From a call until an open page has what it changed: the event, the pause of the page, and the page anew."""
    place = urlsplit(peer.url)
    line = await asyncio.open_connection(place.hostname, place.port)
    took: list[float] = []
    async with _following(peer) as stream:
        for number in range(CHANGES):
            begun = time.perf_counter()
            arguments = {"action": "store", "plan_id": plan_id, "type": "bench", "data": {"n": number}, "agent": "b"}
            call = asyncio.create_task(_post(peer, line, "memory_context", arguments))
            await asyncio.wait_for(_next_event(stream), PATIENCE)
            await asyncio.sleep(DEBOUNCE_SECONDS)
            await asyncio.to_thread(peer.page, f"/p/{plan_id}")
            took.append(time.perf_counter() - begun)
            await call
    line[1].close()
    p95 = sorted(took)[int(len(took) * 0.95)] * 1000
    return [timed("event to open page", took, 0.95, judged=p95, bar=CHANGE_BAR_MS)]


async def _next_event(stream: asyncio.StreamReader) -> int:
    while True:
        if found := EVENT.search(await stream.readuntil(b"\n\n")):
            return int(found[1])


async def _loaded(peer: WebPeer, data: Path, plan_id: str, followers: int, seconds: int) -> list[Figure]:
    """Many followers and calls at a steady rate; every follower has to have every event, in its order."""
    heard: list[list[int]] = [[] for _ in range(followers)]
    opened = asyncio.Semaphore(20)
    ready: list[asyncio.Event] = [asyncio.Event() for _ in range(followers)]
    over = asyncio.Event()

    async def follow(number: int) -> None:
        async with opened:
            context = _following(peer)
            stream = await context.__aenter__()
        ready[number].set()
        try:
            while True:
                heard[number].append(await _next_event(stream))
        finally:
            await context.__aexit__(None, None, None)

    tasks = [asyncio.create_task(follow(number)) for number in range(followers)]
    await asyncio.wait_for(asyncio.gather(*(one.wait() for one in ready)), PATIENCE * 2)
    first, memory = _newest(data), [peer.rss()]

    async def watch() -> None:
        while not over.is_set():
            memory.append(await asyncio.to_thread(peer.rss))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    took = await _steady(peer, plan_id, seconds)
    over.set()
    await watching
    last = _newest(data)
    for _ in range(int(PATIENCE * 10)):
        if all(one and one[-1] >= last for one in heard):
            break
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    logged = _logged(data, first, last)
    missed = sum([event for event in one if first < event <= last] != logged for one in heard)
    half = len(memory) // 2
    growth = statistics.median(memory[half:]) / statistics.median(memory[max(1, half // 2) : half + 1])
    p99 = sorted(took)[int(len(took) * 0.99)] * 1000
    return [
        timed(f"{followers} followers, {CALLS_A_SECOND} calls/s: call", took, 0.99, judged=p99, bar=LOADED_BAR_MS),
        Figure("followers that miss an event", "", missed, judged=missed, bar=0),
        Figure("events in that time", "", len(logged)),
        Figure("memory, second half to first", "MiB", memory[-1], None, memory[0], growth, GROWTH_BAR),
    ]


async def _steady(peer: WebPeer, plan_id: str, seconds: int) -> list[float]:
    """Make calls at a steady rate, whatever each of them takes."""
    place = urlsplit(peer.url)
    lines: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        lines.put_nowait(await asyncio.open_connection(place.hostname, place.port))
    begun = time.perf_counter()

    async def one(number: int) -> float:
        due = begun + number / CALLS_A_SECOND
        await asyncio.sleep(due - time.perf_counter())
        line = await lines.get()
        data = {"action": "store", "plan_id": plan_id, "type": f"load {number % 20}", "data": {"n": number}}
        await _post(peer, line, "memory_context", {**data, "agent": "b"})
        lines.put_nowait(line)
        return time.perf_counter() - due

    took = await asyncio.gather(*(one(number) for number in range(seconds * CALLS_A_SECOND)))
    while not lines.empty():
        lines.get_nowait()[1].close()
    return took


def _newest(data: Path) -> int:
    return (_logged(data, 0, 1 << 60) or [0])[-1]


def _logged(data: Path, after: int, until: int) -> list[int]:
    """Return what the log has, as a program of others reads it."""
    query = "SELECT event_id FROM event_log WHERE event_id > ? AND event_id <= ? ORDER BY event_id"
    with sqlite3.connect(data / DATABASE_NAME) as db:
        found = [event_id for (event_id,) in db.execute(query, (after, until))]
    db.close()
    return found


def _ends(data: Path) -> Iterator[Figure]:
    """From SIGTERM to the end of the process, with a stream open."""
    took: list[float] = []
    for _ in range(STARTS):
        with ours(data) as peer:
            stream = http.client.HTTPConnection(urlsplit(peer.url).netloc, timeout=60)
            stream.request("GET", "/events", headers={"authorization": f"Bearer {peer.token}"})
            stream.getresponse().readline()
            took.append(peer.end())
            stream.close()
    yield timed("SIGTERM to exit, a stream open", took, 0.9, judged=max(took) * 1000, bar=END_BAR_MS)
