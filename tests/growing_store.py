"""A store in which all there is grows with the plan: `test_bounded_writes` measures the writes in two of them."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import calls
from server.db.shared_state import shared_settings
from server.models.approvals import Word
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from tests.populated_store import VERSION, allow_programs

IN_PHASE = 25
DONE = 4  # a quarter of the steps is done
RESEARCH_LINE = "What was found, in words of some length that are worth keeping for whoever comes next."


@dataclass(frozen=True)
class GrowingStore:
    """Where things are in the store of a plan of `size` steps."""

    size: int
    folder: Path
    facts: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.facts[name]

    def step(self, index: int) -> str:
        return self.facts["step_ids"][index]


def steps_of(size: int) -> list[dict[str, Any]]:
    """Short chains and longer waits in phases, many for one, the first part done, some for others, some with notes."""
    hub, far = size // DONE, size // 13
    return [
        {
            "task": f"Make part {number} of the parser understand what part {number % 7} sends",
            "phase": f"Phase {number // IN_PHASE}",
            "status": "done" if number < hub else "pending",
            "depends_on": [number - back for back in (1, far) if number % 5 and number >= back + hub]
            + ([hub] if number % 5 == 1 and number > hub + 1 else []),
            **({"assignee": "Somebody"} if number % 11 == 3 else {}),
            **({"notes": f"seen in run {number}"} if number % 3 == 0 else {}),
            **({"type": "critical"} if number % 97 == 96 and number >= hub else {}),
        }
        for number in range(size)
    ]


async def build(settings: Settings, folder: Path, size: int) -> GrowingStore:
    """Fill the store of `settings`, which is empty, and say what is in it."""
    store = Store(settings)

    async def ask(tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        return json.loads(await calls.run(store, TOOLS, f"memory_{tool}", {"action": action, **arguments}))

    try:
        facts = await _places(ask, folder)
        facts |= await _plans(ask, facts, size, store)
        facts |= await _people(ask, facts, size)
        facts |= await _runs(ask, facts, settings)
        facts |= await _ledger(ask, facts, size)
        await _texts(ask, facts, size)
        async with (await store.open()).transaction() as tx:  # else one write in some merges what many have left
            await tx.run("INSERT INTO search_index (search_index) VALUES ('optimize')")
            await shared_settings.put(tx, "gates", "relayed", Word("terminal"))
    finally:
        await store.close()
    return GrowingStore(size, folder, facts)


Ask = Callable[..., Any]


async def _places(ask: Ask, folder: Path) -> dict[str, Any]:
    found = dict[str, Any]()
    for name in ("here", "there", "child", "moved", "new"):
        (folder / name).mkdir()
    for name in ("here", "there", "child", "moved"):
        told = await ask("workspace", "register", workspace_path=str(folder / name))
        found[name] = told["workspace_id"]
    (folder / "moved").rename(folder / "elsewhere")
    return found


async def _plans(ask: Ask, facts: dict[str, Any], size: int, store: Store) -> dict[str, Any]:
    new, here = steps_of(size), facts["here"]
    first = await ask("plan", "create", workspace_id=here, title="First", steps=[{"task": "a", "status": "done"}])
    await ask("plan", "update", plan_id=first["plan_id"], status="completed")
    plan = await ask(
        "plan", "create", workspace_id=here, title="The parser", steps=new, depends_on_plans=[first["plan_id"]]
    )
    plan_id = plan["plan_id"]
    rows = await (await store.open()).all(
        "SELECT step_id FROM steps WHERE plan_id = :plan_id ORDER BY order_index", {"plan_id": plan_id}
    )
    after = await ask("plan", "create", workspace_id=here, title="After it", depends_on_plans=[plan_id])
    away = await ask("plan", "create", workspace_id=here, title="Put away", steps=new)
    await ask("plan", "archive", plan_id=away["plan_id"])
    gone = await ask("plan", "create", workspace_id=here, title="Thrown away", steps=new)
    trashed = await ask("plan", "delete", plan_id=gone["plan_id"], confirm=True)
    await ask("plan", "create", workspace_id=facts["there"], title="Elsewhere", steps=new[: size // 4])
    over = await ask("plan", "create", workspace_id=facts["child"], title="Over", steps=new)
    await ask("plan", "update", plan_id=over["plan_id"], status="failed")
    async with (await store.open()).transaction() as tx:
        for change in ("steps SET updated_at", "plans SET updated_at"):
            await tx.run(
                f"UPDATE {change} = '2020-01-01T00:00:00.000Z' WHERE plan_id = :plan_id", {"plan_id": over["plan_id"]}
            )
    small = list[str]()
    for number in range(size // IN_PHASE):
        some = [{"task": f"Part {number}.{at}", "phase": "Only"} for at in range(5)]
        told = await ask("plan", "create", workspace_id=here, title=f"Plan {number}", steps=some)
        small.append(told["plan_id"])
    return {
        **await _program(ask, facts, small),
        "first": first["plan_id"],
        "plan_id": plan_id,
        "step_ids": [row["step_id"] for row in rows],
        "after": after["plan_id"],
        "away": away["plan_id"],
        "trash_id": trashed["trash_id"],
    }


async def _program(ask: Ask, facts: dict[str, Any], plan_ids: list[str]) -> dict[str, Any]:
    """A program of small plans, each of which waits for the one before, with risks; and one without any."""
    here = {"workspace_id": facts["here"]}
    tied, loose = [await ask("program", "create", title=title, **here) for title in ("Tied", "Loose")]
    on_it = {"program_id": tied["program_id"]}
    risk_ids = list[str]()
    for number, plan_id in enumerate(plan_ids):
        await ask("program", "add_plan", plan_id=plan_id, **on_it)
        ends = {"source_plan_id": plan_id, "target_plan_id": plan_ids[number - 1]}
        await (ask("program", "set_dependency", **ends, **on_it) if number else ask("program", "get", **on_it))
        risk_ids.append((await ask("program", "add_risk", risk_title=f"Risk {number}", **on_it))["risk_id"])
        await ask("steps", "update", plan_id=plan_id, step_index=0, status="blocked", notes="waits for others")
    lone = await ask("plan", "create", title="Lone", steps=[{"task": "a"}], **here)
    before = await ask("plan", "create", title="Before all", steps=[{"task": "a"}], **here)
    await ask("program", "set_dependency", target_plan_id=before["plan_id"], **on_it)
    return {
        "program_id": tied["program_id"],
        "loose_id": loose["program_id"],
        "members": plan_ids,
        "lone": lone["plan_id"],
        "risk_id": risk_ids[0],
    }


async def _people(ask: Ask, facts: dict[str, Any], size: int) -> dict[str, Any]:
    """Sessions, each with a claim, reservations, a hand-off, messages and checkpoints."""
    plan_id, here, sessions = facts["plan_id"], facts["here"], list[str]()
    for number in range(size // 40):
        told = await ask("session", "session_start", plan_id=plan_id, agent=f"Agent {number}")
        session_id = told["session_id"]
        sessions.append(session_id)
        who = {"session_id": session_id}
        await ask("steps", "next", plan_id=plan_id, **who)
        await ask("session", "reserve_files", paths=[f"src/{number}/", f"docs/{number}.md"], **who)
        await ask("session", "send_message", to_agent="Bob", content=f"Part {number} is ready", **who)
        await ask("session", "checkpoint", name=f"before {number}", plan_id=plan_id, **who)
        await ask("steps", "record_edit", plan_id=plan_id, file_path=f"src/{number}.py", change_type="edit", **who)
        if number % 4 == 0:
            await ask("agent", "handoff", to_agent="Bob", reason="go on", plan_id=plan_id, **who)
            await ask("agent", "complete", summary="done", **who)
    mine = await ask("session", "session_start", plan_id=plan_id, agent="Ada")
    claimed = await ask("steps", "next", plan_id=plan_id, session_id=mine["session_id"])
    letter = await ask("session", "send_message", workspace_id=here, agent="Bob", to_agent="Ada", content="Hello")
    return {
        "sessions": sessions,
        "me": mine["session_id"],
        "mine": claimed["next"]["step_id"],
        "message_id": letter["message_id"],
    }


async def _ledger(ask: Ask, facts: dict[str, Any], size: int) -> dict[str, Any]:
    """Evidence about the plan: as much of each kind as a tenth of its steps."""
    on_plan = {"plan_id": facts["plan_id"], "agent": "Ada"}
    count, last, told = size // 10, "", dict[str, Any]()
    calls = [{"tool": f"tool {n % 7}", "args": {"n": n}, "duration_ms": n} for n in range(count)]
    await ask("ledger", "log_calls", calls=calls, **on_plan)
    points = [
        {"name": f"series {n % 5}", "value": n, "bucket": f"20{n // 50:02}-W{n % 50 + 1:02}"} for n in range(count)
    ]
    await ask("ledger", "record_metrics", points=points, **on_plan)
    for n in range(count):
        told = await ask("ledger", "decide", decision=f"Part {n} is a list", rationale="It is short", **on_plan)
        await ask("ledger", "record_gate", gate_name=f"gate {n % 9}", status="passed", **on_plan)
        await ask("ledger", "add_artifact", artifact_type="code", name=f"part {n}", **on_plan)
        await ask("ledger", "set_progress", task_name=f"job {n}", percent=10, **on_plan)
        await ask("ledger", "cache_set", key=f"key {n}", payload={"n": n}, **on_plan)
        await ask("ledger", "add_term", term=f"term {n}", kind="concept", **on_plan)
        last = (await ask("ledger", "start_run", name=f"nightly {n}", **on_plan))["run_id"]
    await ask("ledger", "set_budget", max=100, **on_plan)
    return {"decision_id": told["decision_id"], "ledger_run_id": last}


async def _runs(ask: Ask, facts: dict[str, Any], settings: Settings) -> dict[str, Any]:
    here = facts["here"]
    await allow_programs(settings, here, shlex.join(VERSION))
    told = await ask("terminal", "run", workspace_id=here, command=VERSION[0], args=list(VERSION[1:]))
    return {"run_id": told["run_id"]}


async def _texts(ask: Ask, facts: dict[str, Any], size: int) -> None:
    """Notes, context, facts, knowledge with its history, and a research file that grows with the plan."""
    plan_id, here = facts["plan_id"], facts["here"]
    on_plan, on_here = {"plan_id": plan_id}, {"workspace_id": here}
    for number in range(size // 10):
        await ask("plan", "add_note", note=f"Mind the gap {number}", note_type="instruction", **on_plan)
        await ask("context", "remember", key=f"key {number}", value=f"value {number}", **on_here)
        old = {"supersedes": f"topic-{number - 1}"} if number else {}
        await ask(
            "context", "knowledge_store", slug=f"topic-{number}", title="T", content="What is known", **old, **on_here
        )
    items = [{"type": f"kind_{number}", "data": {"finding": f"number {number}"}} for number in range(size // 10)]
    for start in range(0, len(items), 50):
        await ask("context", "batch_store", items=items[start : start + 50], **on_plan)
    for number in range(size // 20):
        skill = {"kind": "skill", "name": f"way-{number}"}
        await ask("library", "create", description="A way to do it", content="Go.", **skill, **on_here)
        await ask("library", "assign", **skill, **on_here)
    section = f"## Finding\n{RESEARCH_LINE}\n"
    await ask("context", "append_research", filename="notes.md", content=section * size, **on_plan)
