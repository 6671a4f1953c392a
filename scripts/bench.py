"""Measure the server against the figures it must reach: `bench.py [--json] [BENCH ...]`.

Every figure that depends on the machine is a ratio to a bare echo server of the same SDK (`bench_echo.py`), which
answers the same texts, measured in the same run by turns. The calls are written and read as raw lines, so that no
client's own time hides the server's. Nothing here fails because of a figure; `over` is for people to judge.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import bench_backup
import bench_bare
import bench_client
import bench_concurrency
import bench_import
import bench_issues
import bench_people
import bench_scale
import bench_search
import bench_tokens
import bench_upkeep
import bench_web
from bench_figures import HEAD, Figure, bytes_of, line_of, sized, timed

ROOT = Path(__file__).resolve().parent.parent
ECHO = Path(__file__).resolve().parent / "bench_echo.py"
STARTS = 15
FIRST_STARTS = 5
ROUNDS = 20
CALLS_A_ROUND = 20
CALLS = 10_000
LOOKS = (1_000, 5_000, 10_000)
PLAN_STEPS = 20
LONG_PLAN_STEPS = 2 * ROUNDS * CALLS_A_ROUND + 100

LIST_START_BAR = 0.2
CALL_START_BAR = 0.6
READ_BAR = 1.1
WRITE_BAR = 1.3
MEMORY_BAR = 0.9
THROUGHPUT_BAR = 0.6
SEARCH_BAR_MS = 10
LIST_BAR = 44_000
SCHEMA_BAR = 4_700
TEXT_BAR = 2_048

CLIENT = {"name": "bench", "version": "1"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
FIRST = ("memory_workspace", {"action": "list"})
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
ERAS = ("2025-11-25", "2026-07-28")

Json = dict[str, Any]


class Peer:
    """A server process, spoken to in lines."""

    def __init__(self, command: Sequence[str], cwd: Path, era: str = ERAS[0]) -> None:
        self.meta: Json = {"_meta": MODERN} if era == ERAS[1] else {}
        self.sent = 0
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPATH"] = str(ROOT)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, env=env)
        if not self.meta:
            self.request("initialize", INITIALIZE)
            self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method: str, params: Json) -> tuple[Json, float]:
        """Return the result, and the seconds between the last byte sent and the last one received."""
        self.sent += 1
        message = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": {**params, **self.meta}}
        begun = self._write(message)
        while True:
            line = self._read()
            took = time.perf_counter() - begun
            answer = json.loads(line)
            if answer.get("id") == self.sent:
                return answer["result"], took

    def call(self, name: str, arguments: Json) -> tuple[str, float]:
        result, took = self.request("tools/call", {"name": name, "arguments": arguments})
        text: str = result["content"][0]["text"]
        if result.get("isError"):
            raise SystemExit(f"{name} {arguments} was refused: {text}")
        return text, took

    def rss(self) -> float:
        """Return the resident memory in MiB."""
        if sys.platform == "linux":
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
            return int(status.partition("VmRSS:")[2].split()[0]) / 1024
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return int(listed.stdout) / 1024

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _write(self, message: Json) -> float:
        assert self.process.stdin
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        begun = time.perf_counter()
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return begun

    def _read(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline() or self._died()

    def _died(self) -> bytes:
        raise SystemExit(f"{self.process.args} ended with code {self.process.wait()}")


@dataclass
class Place:
    """A temporary folder with a data root, a project, and what the echo server answers."""

    root: Path
    sizes: Sequence[str] = tuple(bench_scale.SHAPES)
    followers: int = 200
    seconds: int = 60

    @property
    def project(self) -> Path:
        return self.root / "project"

    def ours(self, data_root: str = "data") -> list[str]:
        return [sys.executable, "-P", "-m", "server", "--data-root", str(self.root / data_root)]

    def echo(self, answers: Json) -> list[str]:
        path = self.root / "answers.json"
        path.write_text(json.dumps(answers), encoding="utf-8")
        return [sys.executable, "-P", str(ECHO), str(path)]

    @contextmanager
    def peer(self, command: Sequence[str], era: str = ERAS[0]) -> Generator[Peer]:
        peer = Peer(command, self.project, era)
        try:
            yield peer
        finally:
            peer.close()


@dataclass(frozen=True)
class Call:
    """A call of ours to measure; `arguments` is asked anew for each one."""

    name: str
    tool: str
    arguments: Callable[[], Json]
    writes: bool = False


def stdio(place: Place) -> Iterator[Figure]:
    """Starts and calls over stdio, in both protocol eras."""
    for era in ERAS:
        yield from starts(place, era)
    for era in ERAS:
        yield from calls(place, era)


def starts(place: Place, era: str) -> Iterator[Figure]:
    with place.peer(place.ours()) as peer:
        peer.call(*FIRST)
    echo = place.echo({"first": "{}"})
    pairs = [
        (start(place, place.ours(), era, *FIRST), start(place, echo, era, "echo", {"name": "first"}))
        for _ in range(STARTS)
    ]
    for place_of, (name, bar) in enumerate((("tools/list", LIST_START_BAR), ("first call", CALL_START_BAR))):
        mine, theirs = ([one[place_of] for one in side] for side in zip(*pairs, strict=True))
        middle = statistics.median(theirs)
        yield timed(f"echo start to {name} ({era})", theirs, 0.9)
        judged = statistics.median(mine) / middle
        yield timed(f"start to {name} ({era})", mine, 0.9, floor=middle, judged=judged, bar=bar)
    if era == ERAS[0]:
        empty = [start(place, place.ours(f"empty-{number}"), era, *FIRST)[1] for number in range(FIRST_STARTS)]
        yield timed("first start, empty folder, to first call", empty, 0.9)


def start(place: Place, command: Sequence[str], era: str, tool: str, arguments: Json) -> tuple[float, float]:
    """Return the seconds from spawn to the answer of tools/list, and to that of the first call, sent right behind."""
    begun = time.perf_counter()
    with place.peer(command, era) as peer:
        peer.request("tools/list", {})
        listed = time.perf_counter() - begun
        peer.call(tool, arguments)
        return listed, time.perf_counter() - begun


def calls(place: Place, era: str) -> Iterator[Figure]:
    with place.peer(place.ours(f"calls-{era}"), era) as ours:
        measured = list(plan_calls(ours.call, place.project))
        answers = {call.name: ours.call(call.tool, call.arguments())[0] for call in measured}
        with place.peer(place.echo({**answers, "short": "{}"}), era) as echo:
            took = rounds(ours, echo, measured, bare(place, f"bare-{era}"))
    yield timed(f"echo of two bytes ({era})", took["short"], 0.99)
    yield from judge(took, measured, era)


def bare(place: Place, data_root: str) -> bench_bare.Bare:
    prepare = partial(plan_calls, project=place.project)
    return bench_bare.Bare(place.root / data_root, prepare, ROUNDS, CALLS_A_ROUND)


def judge(took: dict[str, list[float]], measured: Sequence["Call"], era: str) -> Iterator[Figure]:
    """Compare a read with the echo of its answer, a write with that and its own statements on a bare connection."""
    for call in measured:
        floor = statistics.median(took[f"echo {call.name}"])
        floor += statistics.median(took[f"bare {call.name}"]) if call.writes else 0
        judged, bar = statistics.median(took[call.name]) / floor, WRITE_BAR if call.writes else READ_BAR
        yield timed(f"{call.name} ({era})", took[call.name], 0.99, floor=floor, judged=judged, bar=bar)


def rounds(ours: Peer, echo: Peer, measured: Sequence[Call], floor: bench_bare.Bare) -> dict[str, list[float]]:
    """Run every call by turns, so that what disturbs the machine disturbs all of them."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for call in measured:
            for _ in range(CALLS_A_ROUND):
                took[call.name].append(ours.call(call.tool, call.arguments())[1])
            for _ in range(CALLS_A_ROUND):
                took[f"echo {call.name}"].append(echo.call("echo", {"name": call.name})[1])
            for _ in range(CALLS_A_ROUND if call.writes else 0):
                took[f"bare {call.name}"].append(floor.next())
        for _ in range(CALLS_A_ROUND):
            took["short"].append(echo.call("echo", {"name": "short"})[1])
    floor.close()
    return took


def plan_calls(run: bench_bare.Run, project: Path) -> Iterator[Call]:
    """Make a project with plans in it; return the calls to measure on them."""
    run("memory_workspace", {"action": "register", "workspace_path": str(project)})
    plan_id = make_plan(run, project, PLAN_STEPS)
    long_plan = {"plan_id": make_plan(run, project, LONG_PLAN_STEPS)}
    short_plan = {"plan_id": make_plan(run, project, PLAN_STEPS)}
    index = iter(range(LONG_PLAN_STEPS))
    stored = iter(range(1_000_000))
    me = {"agent": "bench"}
    run("memory_steps", {"action": "next", **long_plan, **me})
    run("memory_steps", {"action": "next", **short_plan, **me})
    yield Call("plan get, 20 steps", "memory_plan", lambda: {"action": "get", "plan_id": plan_id})
    yield Call("steps list, 20 steps", "memory_steps", lambda: {"action": "list", "plan_id": plan_id})
    yield Call(
        "steps next, finish and claim",
        "memory_steps",
        lambda: {"action": "next", **long_plan, **me, "step_index": next(index)},
        writes=True,
    )
    yield Call("steps next, held", "memory_steps", lambda: {"action": "next", **short_plan, **me})
    yield Call(
        "context store",
        "memory_context",
        lambda: {"action": "store", "plan_id": plan_id, "type": "bench", "data": {"run": next(stored)}, **me},
        writes=True,
    )
    yield Call("inbox", "memory_session", lambda: {"action": "inbox", **me})
    yield Call("context get", "memory_context", lambda: {"action": "get", "plan_id": plan_id, "type": "bench"})


def make_plan(run: bench_bare.Run, project: Path, count: int) -> str:
    phases = [
        {"name": f"Phase {number}", "steps": [{"task": f"Do part {n} of phase {number}"} for n in range(count // 5)]}
        for number in range(5)
    ]
    place = {"workspace_path": str(project)}
    text, _ = run("memory_plan", {"action": "create", "title": f"Plan of {count}", "phases": phases, **place})
    return json.loads(text)["plan_id"]


def client(place: Place) -> Iterator[Figure]:
    """The calls over stdio again, through the SDK's client: it adds the same to ours and to the echo server's."""
    for era in ERAS:
        ours = place.ours(f"client-{era}")
        with place.peer(ours) as peer:
            measured = list(plan_calls(peer.call, place.project))
            answers = {call.name: peer.call(call.tool, call.arguments())[0] for call in measured}
        sources = {call.name: (_source(call.tool, call.arguments), _echo_source(call.name)) for call in measured}
        times = bench_client.measure(
            (ours, place.echo(answers)), sources, cwd=place.project, root=ROOT, era=era, rounds=ROUNDS
        )
        took = {name: mine for name, (mine, _) in times.items()}
        took |= {f"echo {name}": floor for name, (_, floor) in times.items()}
        floor, writes = bare(place, f"bare-client-{era}"), [call for call in measured if call.writes]
        for call in [call for _ in range(ROUNDS) for call in writes for _ in range(CALLS_A_ROUND)]:
            took.setdefault(f"bare {call.name}", []).append(floor.next())
        floor.close()
        yield from judge(took, measured, era)


def _source(tool: str, arguments: Callable[[], Json]) -> bench_client.Source:
    return lambda: (tool, arguments())


def _echo_source(name: str) -> bench_client.Source:
    return lambda: ("echo", {"name": name})


def memory(place: Place) -> Iterator[Figure]:
    """Resident memory after thousands of calls, reads and writes by turns, of a server that did not make its store."""
    with place.peer(place.ours("memory")) as first:
        first.call(*FIRST)
        yield Figure("memory of the first start", "MiB", first.rss())
    with place.peer(place.ours("memory")) as ours:
        measured = [
            call for call in plan_calls(ours.call, place.project) if not call.name.startswith("steps next, finish")
        ]
        answers = {call.name: ours.call(call.tool, call.arguments())[0] for call in measured}
        with place.peer(place.echo(answers)) as echo:
            pairs = zip(*(grow(peer, measured, echoing=peer is echo) for peer in (ours, echo)), strict=True)
            for count, (mine, floor) in zip((0, *LOOKS), pairs, strict=True):
                last = count == LOOKS[-1]
                ratio = mine / floor
                yield Figure(
                    f"memory after {count:,} calls", "MiB", mine, None, floor, ratio, MEMORY_BAR if last else None
                )
            ours.request("resources/read", {"uri": f"memory://workspaces/{workspace(ours)}"})
            yield Figure("memory with the SDK loaded", "MiB", ours.rss(), None, echo.rss(), ours.rss() / echo.rss())


def workspace(peer: Peer) -> str:
    text, _ = peer.call("memory_workspace", {"action": "list"})
    return json.loads(text)["workspaces"][0]["workspace_id"]


def grow(peer: Peer, measured: Sequence[Call], *, echoing: bool) -> list[float]:
    """Return the memory at the start and at each of LOOKS."""
    seen = [peer.rss()]
    for count, call in zip(range(1, CALLS + 1), cycle(measured), strict=False):
        if echoing:
            peer.call("echo", {"name": call.name})
        else:
            peer.call(call.tool, call.arguments())
        if count in LOOKS:
            seen.append(peer.rss())
    return seen


def size(place: Place) -> Iterator[Figure]:
    """What a client reads before its first call."""
    with place.peer(place.ours("size"), ERAS[1]) as peer:
        found, _ = peer.request("server/discover", {})
        tools: list[Json] = peer.request("tools/list", {})[0]["tools"]
    yield sized("server instructions", "characters", len(found["instructions"]), TEXT_BAR)
    yield sized("tools/list", "bytes", bytes_of(tools), LIST_BAR)
    for tool in tools:
        yield sized(f"{tool['name']} input schema", "bytes", bytes_of(tool["inputSchema"]), SCHEMA_BAR)
        yield sized(f"{tool['name']} description", "characters", len(tool["description"]), TEXT_BAR)


def concurrency(place: Place) -> Iterator[Figure]:
    """Processes that write without pause, against as many bare `sqlite3` loops with the same statements."""
    for processes in bench_concurrency.PROCESSES:
        ours = bench_concurrency.measure(place.root / f"ours-{processes}", processes, "ours")
        bare = bench_concurrency.measure(place.root / f"bare-{processes}", processes, "bare")
        rate, floor = ours["calls_per_second"], bare["calls_per_second"]
        bar = THROUGHPUT_BAR if processes == max(bench_concurrency.PROCESSES) else None
        name = f"{processes} writing processes"
        yield Figure(f"{name}: throughput", "calls/s", rate, None, floor, rate / floor, bar, at_least=True)
        yield timed(f"{name}: one call", ours["times"], 0.99, floor=statistics.median(bare["times"]))
        yield timed(f"{name}: one call, bare", bare["times"], 0.99)
        yield Figure(
            f"{name}: slowest process",
            "of the mean",
            ours["slowest"],
            None,
            bare["slowest"],
            ours["slowest"],
            0.5,
            at_least=True,
        )
        yield Figure(f"{name}: errors", "", ours["errors"], judged=ours["errors"], bar=0)


def search(place: Place) -> Iterator[Figure]:
    """How well the relevance set is answered, and how long a query of it takes in process."""
    measured = asyncio.run(bench_search.measure(place.root))
    for half, told in zip(("tuned on", "reported"), measured.halves(), strict=True):
        yield Figure(f"search: MRR, half {half}", "score", told.mrr)
        yield Figure(f"search: recall@5, half {half}", "score", told.recall_at_5)
    one = timed("search: one query", measured.seconds, 0.99)
    yield replace(one, judged=one.high, bar=SEARCH_BAR_MS)


def scale(place: Place) -> Iterator[Figure]:
    """Calls in process on a store of 50,000 steps, and on one of more than a million: that takes some ten minutes."""
    yield from bench_scale.figures(place.root, place.sizes)


def import_(place: Place) -> Iterator[Figure]:
    """An import of an older store, and of one ten times as large; issues, and calls on them."""
    yield from bench_import.figures(place.root)
    yield from bench_issues.figures(place.root, lambda data: place.peer(place.ours(data)))


def people(place: Place) -> Iterator[Figure]:
    """What a person waits for in a terminal."""
    yield from bench_people.figures(place.root)


def upkeep(place: Place) -> Iterator[Figure]:
    """Back a large database up, at rest and while another process writes; check one, and trim one."""
    yield from bench_backup.figures(place.root)
    yield from bench_upkeep.figures(place.root)


def web(place: Place) -> Iterator[Figure]:
    """Pages, calls and the stream of events over HTTP, on 50,000 steps; the start of `serve`, and its end."""
    yield from bench_web.figures(place.root, followers=place.followers, seconds=place.seconds)


def tokens(place: Place) -> Iterator[Figure]:
    """What a model reads: before its first call, in the commonest answers, and in a whole session."""
    yield from size(place)
    yield from bench_tokens.figures(place.root)


BENCHES: dict[str, Callable[[Place], Iterator[Figure]]] = {
    "stdio": stdio,
    "client": client,
    "memory": memory,
    "size": size,
    "tokens": tokens,
    "scale": scale,
    "search": search,
    "concurrency": concurrency,
    "import": import_,
    "people": people,
    "upkeep": upkeep,
    "web": web,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"{', '.join(BENCHES)} (default: stdio), or all")
    parser.add_argument(
        "--size", choices=[*bench_scale.SHAPES, "both"], default="both", help="of scale (default: both)"
    )
    parser.add_argument("--plans", action="store_true", help="of scale: print the query plans, too")
    parser.add_argument("--followers", type=int, default=200, help="of web (default: 200)")
    parser.add_argument("--seconds", type=int, default=60, help="of web: that it is under load (default: 60)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    chosen = parser.parse_args()
    names = list(BENCHES) if "all" in chosen.benches else chosen.benches or ["stdio"]
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    sizes = [chosen.size] if chosen.size in bench_scale.SHAPES else list(bench_scale.SHAPES)
    load = (chosen.followers, chosen.seconds)
    results = {name: list(_run(name, sizes, load, quiet=chosen.json, detailed=chosen.plans)) for name in names}
    if chosen.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}
        told = {name: [{**asdict(figure), "met": figure.met} for figure in found] for name, found in results.items()}
        print(json.dumps({"machine": machine, "benches": told}, indent=1))
    return 0


def _run(name: str, sizes: Sequence[str], load: tuple[int, int], *, quiet: bool, detailed: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="project-memory-bench-", ignore_cleanup_errors=True) as folder:
        place = Place(Path(folder).resolve(), sizes, *load)
        place.project.mkdir()
        if not quiet:
            print(f"{name}\n{HEAD}", flush=True)
        for figure in BENCHES[name](place):
            if not quiet:
                print("\n      ".join([line_of(figure), *(figure.details if detailed else ())]), flush=True)
            yield figure


if __name__ == "__main__":
    sys.exit(main())
