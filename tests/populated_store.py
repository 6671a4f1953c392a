"""A store with something of everything in it, and plausible calls on what is there."""

import asyncio
import atexit
import json
import shlex
import shutil
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from mcp import Client
from mcp.types import TextContent

from server.db.shared_state import shared_settings
from server.db.terminal import allowlist
from server.models.approvals import Word
from server.protocol.app import build
from server.registry import Action
from server.settings import Settings
from server.store import open_store
from server.text import command_rules
from server.tools import TOOLS

VERSION = (sys.executable, "-V")  # a program that is there, and ends
LASTING = 86_400  # seconds of a lease: it is made once for all tests of a run, however long that takes
ALWAYS_SENT = {"workspace_id", "agent"}


@dataclass(frozen=True)
class PopulatedStore:
    """A data root with something of everything in it, and the arguments that name what is there."""

    data_root: Path
    arguments: dict[str, Any]

    def plausible(self, action: Action) -> dict[str, Any]:
        """The example of an action, with ids of things that exist."""
        known = {name: value for name, value in self.arguments.items() if name in action.example}
        required = {name: self.arguments[name] for name in action.params if name in ALWAYS_SENT}
        is_of_ledger = action.tool == "memory_ledger" and "run_id" in action.example
        own = {"run_id": self.arguments["ledger_run_id"]} if is_of_ledger else {}
        return {**action.example, **known, **required, **own}


async def answer(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[bool, dict[str, Any], str]:
    """Return whether a call failed, what it answered, and the text of that."""
    result = await client.call_tool(tool, arguments)
    [block] = result.content
    assert isinstance(block, TextContent)
    assert result.structured_content is None
    return bool(result.is_error), json.loads(block.text), block.text


@asynccontextmanager
async def connected(data_root: Path, **more: Any) -> AsyncGenerator[Client]:
    async with Client(build(Settings(data_root=data_root, synchronous="off", **more)), raise_exceptions=True) as client:
        know_tools(client)
        yield client


def know_tools(client: Client) -> None:
    """Spare a client to list the tools before its first call: it looks whether they promise structured results."""
    client.session._tool_output_schemas.update(dict.fromkeys(TOOLS))


@cache
def started_once() -> Path:
    """Return a database as the first start of a server leaves it: made once, since that takes a while."""

    async def first_start(settings: Settings) -> None:
        await (await open_store(settings)).close()

    folder = mkdtemp()
    atexit.register(shutil.rmtree, folder)
    chosen = Settings(data_root=Path(folder), synchronous="off")
    with ThreadPoolExecutor(1) as aside:  # there may be a loop here
        aside.submit(asyncio.run, first_start(chosen)).result()
    return chosen.database


async def populate(data_root: Path, project: Path) -> dict[str, Any]:
    """Fill a new store through the tools themselves and return arguments that name its content."""
    await _let_agents_relay(data_root)
    async with connected(data_root) as client:

        async def call(tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
            failed, found, _ = await answer(client, tool, {"action": action, **arguments})
            assert not failed, found
            return found

        workspace = await call("memory_workspace", "register", workspace_path=str(project))
        here = {"workspace_id": workspace["workspace_id"], "agent": "tester"}
        _write_files(project)
        plan = await call(
            "memory_plan",
            "create",
            title="A plan",
            phases=[
                {"name": "One", "steps": [{"task": "a"}, {"task": "b"}]},
                {"name": "Two", "steps": [{"task": "c"}]},
            ],
            **here,
        )
        plan_id = plan["plan_id"]
        step = (await call("memory_steps", "next", plan_id=plan_id, agent="tester", lease_seconds=LASTING))["next"]
        read, recalled = (TOOLS["memory_context"].actions[name].example for name in ("get", "recall"))
        kind = read.get("type", "notes")
        item = await call("memory_context", "store", plan_id=plan_id, type=kind, data={"a": "b"}, agent="tester")
        await call("memory_context", "remember", key=recalled.get("key", "k"), value="v", **here)
        file = TOOLS["memory_context"].actions["get_research"].example["filename"]
        slug = TOOLS["memory_context"].actions["knowledge_get"].example["slug"]
        await call("memory_context", "append_research", plan_id=plan_id, filename=file, content="## A", agent="tester")
        await call("memory_context", "knowledge_store", slug=slug, title="A", content="b", **here)
        for name, command in (("test", "pytest -q"), ("version", shlex.join(VERSION))):
            await call("memory_plan", "add_build_script", script_name=name, script_command=command, **here)
        await call("memory_context", "workspace_set", data={"purpose": "Sells boats"}, **here)
        gone = await call("memory_context", "store", plan_id=plan_id, type="gone", data={"a": "b"}, agent="tester")
        removed = await call("memory_context", "delete", item_id=gone["item_id"], confirm=True, **here)
        session = await call("memory_agent", "init", plan_id=plan_id, agent="tester")
        me = {"session_id": session["session_id"]}
        handoff = await call("memory_agent", "handoff", to_agent="tester", reason="go on", plan_id=plan_id, **me)
        note = await call("memory_plan", "add_note", plan_id=plan_id, note="Mind it", note_type="instruction", **me)
        message = await call("memory_session", "send_message", to_agent="tester", content="Hello", **me)
        await call("memory_session", "reserve_files", paths=["src/**"], lease_seconds=LASTING, **me)
        checkpoint = await call("memory_session", "checkpoint", name="here", plan_id=plan_id, **me)
        homes, others = list[str](), list[str]()
        for n in range(3):
            (project.parent / f"other-{n}").mkdir()
            other = await call("memory_workspace", "register", workspace_path=str(project.parent / f"other-{n}"))
            homes.append(other["workspace_id"])
            others.append((await call("memory_plan", "create", title=f"Plan {n}", **here))["plan_id"])
            await call("memory_plan", "add_note", plan_id=plan_id, note=f"Note {n}", **me)
            await call("memory_session", "send_message", to_agent="tester", content=f"Hello {n}", **me)
            await call("memory_session", "reserve_files", paths=[f"docs/{n}"], lease_seconds=LASTING, **me)
            await call("memory_session", "checkpoint", name=f"there {n}", plan_id=plan_id, **me)
            await call("memory_agent", "handoff", to_agent="tester", reason=f"go {n}", plan_id=plan_id, **me)
            await call("memory_context", "store", plan_id=plan_id, type=f"type {n}", data={"a": n}, agent="tester")
            await call("memory_context", "remember", key=f"key {n}", value="v", **here)
            await call("memory_context", "knowledge_store", slug=f"slug-{n}", title="A", content="b", **here)
            await call("memory_context", "append_research", plan_id=plan_id, filename=f"f{n}", content="b", **here)
            skill = {"kind": "skill", "name": f"way-{n}"}
            await call("memory_library", "create", description="A way", content="Go.", **skill, **here)
            await call("memory_library", "assign", **skill, **here)
            edit = {"file_path": f"a/{n}", "change_type": "edit"}
            await call("memory_steps", "record_edit", step_id=step["step_id"], **edit, **here)
        return {
            **here,
            **await _program(call, here, others, homes),
            **await _ledger(call, {"plan_id": plan_id, "agent": "tester"}, step["step_id"]),
            "plan_id": plan_id,
            "step_id": step["step_id"],
            "claim_token": step["claim_token"],
            "item_id": item["item_id"],
            "run_id": (await _run(call, data_root, here))["run_id"],
            "trash_id": removed["trash_id"],
            **me,
            "lineage_id": handoff["lineage_id"],
            "note_ids": [note["note_id"]],
            "message_id": message["message_id"],
            "message_ids": [message["message_id"]],
            "thread_id": message["thread_id"],
            "checkpoint_id": checkpoint["checkpoint_id"],
            "workspace_path": str(project),
            "wait_seconds": 0,
            "child_workspace_id": homes[0],
            "strange_workspace_id": homes[1],
            "source_workspace_id": homes[2],
            "target_workspace_id": here["workspace_id"],
            "depends_on_plans": others,
            "target_plan_id": plan_id,
            "source_plan_ids": others[1:],
            "step_indices": [0, 1],
        }


async def _ledger(call: Any, on_plan: dict[str, Any], step_id: str) -> dict[str, Any]:
    """Leave something of every kind in the ledger of a plan."""
    ledger, found = "memory_ledger", dict[str, Any]()
    for n in range(3):
        told = {"decision": f"Do it so {n}", "rationale": "It is short"}
        found |= await call(ledger, "decide", **told, **on_plan)
        found |= await call(ledger, "log_call", tool="pytest", args={"n": n}, duration_ms=1.5, **on_plan)
        gate = {"gate_name": f"gate {n}", "status": "passed"}
        found |= await call(ledger, "record_gate", **gate, **on_plan)
        found |= await call(ledger, "add_artifact", artifact_type="code", name=f"part {n}", **on_plan)
        found |= await call(ledger, "record_metric", name="coverage", value=n, bucket=f"2030-W0{n + 1}", **on_plan)
        found |= await call(ledger, "set_progress", task_name=f"job {n}", percent=n, **on_plan)
        await call(ledger, "set_budget", max=10, unit=("USD", "tokens", "hours")[n], **on_plan)
        await call(ledger, "spend", amount=9, unit=("USD", "tokens", "hours")[n], **on_plan)
        await call(ledger, "cache_set", key=f"key {n}", payload={"a": n}, **on_plan)
        await call(ledger, "add_term", term=f"term {n}", kind="concept", **on_plan)
        found["ledger_run_id"] = (await call(ledger, "start_run", name=f"nightly {n}", **on_plan))["run_id"]
    await call(ledger, "log_call", tool="ruff", args={}, step_id=step_id, agent="tester")
    await call(ledger, "set_agent", type="coder", agent=on_plan["agent"], workspace_id=found["workspace_id"])
    names = ("decision_id", "call_id", "gate_id", "artifact_id", "point_id", "progress_id", "ledger_run_id")
    return {name: found[name] for name in names}


async def _program(call: Any, here: dict[str, Any], plan_ids: list[str], homes: list[str]) -> dict[str, Any]:
    """Put plans into a program, one waiting for another, with risks, that another workspace sees."""
    program_id = (await call("memory_program", "create", title="A program", **here))["program_id"]
    on_it = {"program_id": program_id, **here}
    risk_ids: list[str] = []
    for n, plan_id in enumerate(plan_ids):
        await call("memory_program", "add_plan", plan_id=plan_id, **on_it)
        risk_ids.append((await call("memory_program", "add_risk", risk_title=f"Risk {n}", **on_it))["risk_id"])
    ends = {"source_plan_id": plan_ids[0], "target_plan_id": plan_ids[1]}
    await call("memory_program", "set_dependency", **ends, **on_it)
    await call("memory_program", "link_workspace", **{**on_it, "workspace_id": homes[0]})
    return {"program_id": program_id, "risk_id": risk_ids[0], "plan_ids": plan_ids[1:], **ends}


def _write_files(project: Path) -> None:
    for path in ("src/app.py", "src/deep/lease.py", "src/deep/step.py"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("def main() -> None: ...  # the lease of a step\n", encoding="utf-8")


async def _run(call: Callable[..., Any], data_root: Path, here: dict[str, str]) -> dict[str, Any]:
    await allow_programs(Settings(data_root=data_root, synchronous="off"), here["workspace_id"], shlex.join(VERSION))
    return await call("memory_terminal", "run", command=VERSION[0], args=list(VERSION[1:]), **here)


async def allow_programs(settings: Settings, workspace_id: str, *patterns: str) -> None:
    """Let a person allow programs to be run, in a process of their own."""
    db = await open_store(settings)
    async with db.transaction() as tx:
        rules = map(command_rules.rule, patterns)
        await allowlist.add(tx, workspace_id, rules, allowed_by="human", via="terminal")
    await db.close()


async def _let_agents_relay(data_root: Path) -> None:
    """Set what only a person may set, so that a call can confirm."""
    db = await open_store(Settings(data_root=data_root, synchronous="off"))
    async with db.transaction() as tx:
        await shared_settings.put(tx, "gates", "relayed", Word("terminal"))
    await db.close()


def rows(data_root: Path) -> dict[str, list[Any]]:
    """Everything that the tables hold."""
    with sqlite3.connect(data_root / "project-memory.db") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found = {table: db.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}
    db.close()
    return found
