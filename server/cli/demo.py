"""`demo`: an agent works on a real plan, its server dies, another agent takes over; through a real MCP client."""

import json
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import anyio
import mcp.types as wire
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console
from rich.text import Text

from server.cli.setup.launching import LaunchCommand, launch
from server.errors import InvalidArguments, innermost
from server.settings import ASSETS, Flags
from server.text.display import number_of

PLAN = ASSETS / "catalog" / "demo-plan.md"
PASSED_ON = ("synchronous", "log_level")
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows os.kill ends a process at once with any signal
PROCESS = re.compile(r"process (\d+) serves")
TIMEOUT = 60
SHOWN = 60
TASK = 100
LIMIT = 240

FIRST, SECOND = "executor", "reviewer"
REASON = "The phase is finished; please review it."
TYPE = "findings"
FINDING = {"looked_at": "the first phase of the plan", "open_questions": ["who reviews it?", "Größe, 大きさ, 📏"]}

Json = dict[str, Any]


class Surprise(Exception):
    """The server did not do what the demo promises."""


class Refusal(Surprise):
    """A call was answered with an error."""

    def __init__(self, call: str, error: Json) -> None:
        super().__init__(f"{call} was refused: {error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.reason: str = error["message"]


@dataclass
class Demo:
    """Where one run works, and what it prints on."""

    console: Console
    start: LaunchCommand
    root: Path
    flags: Flags
    log: TextIO
    calls: int = 0

    @property
    def project(self) -> Path:
        return self.root / "project"

    def tell(self, text: str) -> None:
        self.print(f"\n{text}", "bold")

    def print(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    def show(self, call: str, arguments: Json, answer: str, milliseconds: float) -> None:
        self.calls += 1
        self.print(f"{self.calls:3} {call} {_compact(arguments)} ({milliseconds:.1f} ms)", "cyan")
        for line in _in_words(call, json.loads(answer)):
            self.print(f"    {line}")
        self.print(f"    {_cut(answer, LIMIT)}", "dim")

    async def asked(self, context: object, params: wire.ElicitRequestParams) -> wire.ElicitResult:
        """Answer for the person who watches: the server asks through the client, as it does in an editor."""
        self.tell("This step needs a person's word, so the client asks you. You say yes.")
        for line in params.message.splitlines():
            self.print(f"    {line}")
        return wire.ElicitResult(action="accept", content={"answer": "yes"})

    def read_log(self) -> str:
        self.log.seek(0)
        return self.log.read()


@dataclass
class Work:
    """What the agents know of the plan: how it was imported, what is finished, which step is held."""

    plan_id: str
    done: int
    total: int
    phases: list[Json]
    session_id: str = ""
    phase: str | None = None
    held: Json | None = None
    last: Json | None = None
    finished: list[str] = field(default_factory=list[str])

    @property
    def named(self) -> dict[str, str]:
        """The arguments that say what a call is about, and who makes it."""
        return {"plan_id": self.plan_id, "session_id": self.session_id}

    def open_in_phase(self) -> int:
        return sum(p["steps_total"] - p["steps_done"] for p in self.phases if p["name"] == self.phase)


def run(plan: Path | None, keep: Path | None, flags: Flags) -> int:
    """Play the demo and return the exit code: 0 if everything was as expected."""
    _refuse_useless(flags)
    source = plan or PLAN
    text = _read(source)
    with _folder(keep) as root, (root / "server.log").open("w+", encoding="utf-8", errors="replace") as log:
        demo = Demo(Console(highlight=False), launch(), root, flags, log)
        demo.project.mkdir()
        try:
            work = _play(demo, source, text)
        except (Surprise, MCPError, OSError, KeyError) as failure:
            demo.tell(
                f"The demo failed: {failure!r}" if isinstance(failure, KeyError) else f"The demo failed: {failure}"
            )
            demo.print(f"The server's log:\n{demo.read_log()}")
            return 1
        _show_end(demo, work, keep)
    return 0


def _play(demo: Demo, source: Path, text: str) -> Work:
    try:
        return anyio.run(_story, demo, source, text)
    except BaseExceptionGroup as group:  # the client's task groups wrap what goes through them
        raise innermost(group) from group


def _refuse_useless(flags: Flags) -> None:
    if useless := [f"--{name.replace('_', '-')}" for name in flags if name not in PASSED_ON]:
        raise InvalidArguments(
            f"{', '.join(useless)} has no effect on the demo, which works in a folder of its own; "
            "--keep DIR says where and leaves it there."
        )


def _read(plan: Path) -> str:
    try:
        return plan.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidArguments(f"The plan {str(plan)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidArguments(f"The plan {str(plan)!r} is no UTF-8 text: {error.reason}.") from error


@contextmanager
def _folder(keep: Path | None) -> Generator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="project-memory-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name).resolve()
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise InvalidArguments(f"--keep {str(keep)!r} is not empty; name a new folder.")
    except OSError as error:
        raise InvalidArguments(f"--keep {str(keep)!r} cannot be used: {error.strerror}.") from error
    yield keep.resolve()


class Agent:
    """A client connected to a server process of its own."""

    def __init__(self, demo: Demo, client: Client, process: int) -> None:
        self.demo = demo
        self.client = client
        self.process = process

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> Json:
        begun = time.perf_counter()
        result = await self.client.call_tool(tool, {"action": action, **arguments})
        took = (time.perf_counter() - begun) * 1000
        text = "".join(block.text for block in result.content if block.type == "text")
        self.demo.show(f"{tool} {action}", arguments, text, took)
        answer = json.loads(text)
        if result.is_error:
            raise Refusal(f"{tool} {action}", answer["error"])
        return answer

    def kill(self) -> None:
        os.kill(self.process, KILL)


@asynccontextmanager
async def _serve(demo: Demo) -> AsyncGenerator[Agent]:
    """Start a server the way an editor does: in the project's folder, with the printed command."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in demo.flags.items()]
    arguments = [*demo.start.args, "--log-level=info", *options, f"--data-root={demo.root / 'data'}"]
    parameters = StdioServerParameters(
        command=demo.start.command, args=arguments, env=demo.start.env, cwd=str(demo.project)
    )
    begun = time.perf_counter()
    transport = stdio_client(parameters, demo.log)
    async with Client(transport, read_timeout_seconds=TIMEOUT, elicitation_callback=demo.asked) as client:
        tools = (await client.list_tools()).tools
        took = (time.perf_counter() - begun) * 1000
        process = _process(demo)
        names = ", ".join(tool.name for tool in tools)
        demo.print(f"    process {process} offers {names} after {took:.0f} ms", "dim")
        yield Agent(demo, client, process)


def _process(demo: Demo) -> int:
    """Return the id of the server that started last: the client does not tell, its log does."""
    found = PROCESS.findall(demo.read_log())
    _expect(bool(found), "the server does not log its process")
    return int(found[-1])


async def _story(demo: Demo, source: Path, text: str) -> Work:
    demo.tell(f"A server starts in a project folder, on an empty database. The plan is {source.name}.")
    async with _serve(demo) as agent:
        work = await _import(agent, text)
        await _begin(agent, work)
        demo.tell(f"kill -9 {agent.process}: the server dies without a warning. A new one starts.")
        agent.kill()
    async with _serve(demo) as agent:
        await _recover(agent, work)
        await _hand_over(agent, work)
    return work


async def _import(agent: Agent, text: str) -> Work:
    registered = await agent("memory_workspace", "register", workspace_path=str(agent.demo.project))
    _expect(registered.get("first_time") is True, "the folder of a new project was known already")
    try:
        imported = await agent("memory_plan", "import", content=text)
    except Refusal as refusal:
        if refusal.code not in ("invalid_arguments", "too_large"):
            raise
        raise InvalidArguments(f"The plan cannot be used: {refusal.reason}") from refusal
    plan = await agent("memory_plan", "get", plan_id=imported["plan_id"])
    _expect(plan["workspace_id"] == registered["workspace_id"], "the plan went to another workspace")
    return Work(plan["plan_id"], plan["steps_done"], plan["steps_total"], plan["phases"])


async def _begin(agent: Agent, work: Work) -> None:
    """Work on the first half of a phase, and keep a finding."""
    agent.demo.tell("An agent opens a session, and works on the first phase that has open steps.")
    opened = await agent("memory_agent", "init", agent=FIRST, plan_id=work.plan_id)
    work.session_id = opened["session_id"]
    await _next(agent, work)
    work.phase = work.held["phase"] if work.held else None
    await _work(agent, work, work.open_in_phase() // 2)
    agent.demo.tell("It keeps what it found out with the plan, and reads it back.")
    await agent("memory_context", "store", type=TYPE, data=FINDING, **work.named)
    await _read_finding(agent, work)


async def _recover(agent: Agent, work: Work) -> None:
    """Go on with the session of before the crash: nothing that was answered is lost, nothing is done twice."""
    agent.demo.tell("The agent takes its session up again, and repeats its last call as if the answer had been lost.")
    await agent("memory_agent", "recover", session_id=work.session_id)
    held = work.held
    await _next(agent, work, work.last, again=True)
    _expect(_id(work.held) == _id(held), f"after the crash the agent holds {_id(work.held)}, not {_id(held)}")
    await _check_progress(agent, work)
    await _read_finding(agent, work)
    agent.demo.tell("It finishes the phase.")
    await _work(agent, work, work.total)


async def _hand_over(agent: Agent, work: Work) -> None:
    agent.demo.tell("It hands over, with what it holds, and ends its session.")
    data = {"finished": len(work.finished)}
    await agent("memory_agent", "handoff", to_agent=SECOND, reason=REASON, data=data, pass_claims=True, **work.named)
    summary = f"Finished {number_of(len(work.finished), 'step')}."
    await agent("memory_agent", "complete", session_id=work.session_id, summary=summary)
    agent.demo.tell("The next agent is told all it needs, and gets the step that was passed on.")
    opened = await agent("memory_agent", "init", agent=SECOND, plan_id=work.plan_id)
    _expect(REASON in json.dumps(opened), "the briefing does not tell of the hand-off")
    held, work.session_id = work.held, opened["session_id"]
    await _next(agent, work)
    _expect(held is None or _id(work.held) == _id(held), f"the next agent got {_id(work.held)}, not {_id(held)}")
    await _check_progress(agent, work)


async def _work(agent: Agent, work: Work, most: int) -> None:
    """Finish up to `most` steps of the phase, one after the other."""
    for _ in range(most):
        if work.held is None or work.held["phase"] != work.phase:
            return
        await _next(agent, work, work.held)


async def _next(agent: Agent, work: Work, step: Json | None = None, *, again: bool = False) -> None:
    """Finish `step`, if given, and get the next one."""
    finishing = {"step_id": step["step_id"], "notes": "Done in the demo."} if step else {}
    answer = await agent("memory_steps", "next", **work.named, **finishing)
    work.held = answer.get("next")
    if step is not None:
        _expect(answer["completed"]["step_id"] == step["step_id"], "another step was finished than the one named")
        work.last = step
        work.finished += [] if again else [step["step_id"]]
    left = work.total - work.done - len(work.finished)
    _expect(answer["remaining"] == left, f"{answer['remaining']} steps remain, not {left}")


async def _read_finding(agent: Agent, work: Work) -> None:
    found = await agent("memory_context", "get", type=TYPE, plan_id=work.plan_id)
    _expect(found["data"] == FINDING, "the finding did not come back as it was stored")


async def _check_progress(agent: Agent, work: Work) -> None:
    plan = await agent("memory_plan", "get", plan_id=work.plan_id)
    done = work.done + len(work.finished)
    _expect(plan["steps_done"] == done, f"{plan['steps_done']} steps are done, not {done}")


def _expect(kept: bool, otherwise: str) -> None:
    if not kept:
        raise Surprise(otherwise)


def _id(step: Json | None) -> str:
    return step["step_id"] if step else "no step"


def _show_end(demo: Demo, work: Work, keep: Path | None) -> None:
    finished = number_of(len(work.finished), "step")
    demo.tell(f"All as expected: {demo.calls} calls, {finished} finished, nothing lost in the crash.")
    if keep:
        demo.print(f"The database and the project are in {demo.root}.")
    demo.tell("To see which of your editors and agents it can be put into, and how:")
    demo.print(f"    {demo.start.typed('setup')}", "cyan")


def _in_words(call: str, answer: Json) -> list[str]:
    """Return what a person wants to know of an answer; the most important ones only."""
    match call:
        case _ if "error" in answer:
            return []
        case "memory_plan get":
            phases = (f"{p['name']} {p['steps_done']}/{p['steps_total']}" for p in answer["phases"])
            return [
                f"{answer['title']}: {answer['steps_done']} of {answer['steps_total']} steps done",
                "; ".join(phases),
            ]
        case "memory_steps next":
            finished = f"finished step {answer['completed']['index']}, " if "completed" in answer else ""
            return [f"{finished}{_step(answer.get('next'))}; {answer['remaining']} open"]
        case "memory_agent init" | "memory_agent recover":
            told = f"told of a hand-off by {answer['handoff']['from_agent']}, " if "handoff" in answer else ""
            held = number_of(len(answer.get("held", [])), "step")
            return [f"{told}holds {held}, could go on with {len(answer.get('next', []))}"]
        case _:
            return []


def _step(step: Json | None) -> str:
    return f"has step {step['index']}: {_cut(step['task'], TASK)}" if step else "has no step"


def _compact(arguments: Json) -> str:
    return json.dumps({name: _shortened(value) for name, value in arguments.items()}, ensure_ascii=False)


def _shortened(value: object) -> object:
    return f"{_cut(value, SHOWN)} ({len(value):,} characters)" if isinstance(value, str) and len(value) > 200 else value


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
