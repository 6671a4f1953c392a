"""What the commonest answers cost a model that reads them, in bytes; part of `bench.py`.

The texts are prose of the usual length; `beyond` is what an answer adds to the texts that somebody stored.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench_figures import Figure, bytes_of, sized
from bench_store import Prose

from server.calls import offered, run
from server.errors import ProjectMemoryError
from server.models.base import encode
from server.settings import Settings
from server.store import Store

BRIEFING_BAR = 8_000
NEXT_BAR = 400
CALL_BAR = 450  # an answer of a session, on average
PLANS, PHASES, STEPS = 100, 5, 20
HITS = 10
WHOLE = 45_000
Json = dict[str, Any]


class Scribe:
    """Calls the tools as one agent, and adds up what it sends and reads."""

    def __init__(self, store: Store, project: Path) -> None:
        self.store = store
        self.tools = offered(store.settings)
        self.place: Json = {"workspace_path": str(project)}
        self.sent = self.read = self.calls = 0

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> str:
        told = {"action": action, **arguments}
        named = "workspace_path" in told or "plan_id" in told or "session_id" in told
        try:
            text = await run(self.store, self.tools, tool, told if named else {**self.place, **told})
        except ProjectMemoryError as error:
            text = encode(error.payload())
        self.sent += bytes_of({"name": tool, "arguments": told})
        self.read += len(text.encode())
        self.calls += 1
        return text

    async def told(self, tool: str, action: str, /, **arguments: Any) -> Json:
        return json.loads(await self(tool, action, **arguments))


def figures(root: Path, plans: int = PLANS) -> Iterator[Figure]:
    """What single answers and a whole session cost."""
    project = root / "tokens-project"
    project.mkdir()
    yield from asyncio.run(_measured(Settings(data_root=root / "tokens"), project, plans))


async def _measured(settings: Settings, project: Path, plans: int) -> list[Figure]:
    store = Store(settings)
    try:
        scribe, prose = Scribe(store, project), Prose(1)
        await scribe("memory_workspace", "register", **scribe.place)
        plan_ids = [(await scribe.told("memory_plan", "create", **plan(prose)))["plan_id"] for _ in range(plans)]
        return [
            *await answers(scribe, plan_ids),
            *await session(scribe, plan_ids[1]),
        ]
    finally:
        await store.close()


def plan(prose: Prose) -> Json:
    phases = [
        {"name": prose.words(1, 3) + f" {number}", "steps": [{"task": prose.words(6, 16)} for _ in range(STEPS)]}
        for number in range(PHASES)
    ]
    return {
        "title": prose.words(4, 10),
        "goals": [prose.words(5, 15)],
        "success_criteria": ["It works"],
        "phases": phases,
    }


async def answers(scribe: Scribe, plan_ids: Sequence[str]) -> list[Figure]:
    """Return the bytes of the commonest answers."""
    plan_id, other_id = plan_ids[0], plan_ids[-1]
    me: Json = {"plan_id": plan_id, "agent": "executor"}
    whole = {"max_bytes": WHOLE}
    first = await scribe("memory_steps", "next", **me)
    step_id = json.loads(first)["next"]["step_id"]
    second = await scribe("memory_steps", "next", **me, step_id=step_id)
    asked = (
        (
            f"list of {len(plan_ids)} plans",
            100 + 300 * len(plan_ids),
            "memory_plan",
            "list",
            {"limit": len(plan_ids), **whole},
        ),
        ("plan get, 100 steps", 3_000, "memory_plan", "get", {"plan_id": plan_id}),
        ("plan get full, 100 steps", 20_000, "memory_plan", "get", {"plan_id": plan_id, "detail": "full", **whole}),
        ("steps list, 20 of 100", 3_600, "memory_steps", "list", {"plan_id": plan_id}),
        ("steps get", 300, "memory_steps", "get", {"step_id": step_id}),
        ("steps update", 200, "memory_steps", "update", {"step_id": step_id, "append_notes": "It works"}),
        ("context store", 200, "memory_context", "store", {**me, "type": "findings", "data": {"result": "green"}}),
        ("context get", 300, "memory_context", "get", {"plan_id": plan_id, "type": "findings"}),
        ("add_note", 180, "memory_plan", "add_note", {**me, "note": "It works"}),
        (f"search, {HITS} hits", 500 * HITS, "memory_context", "search", {"query": "the plan", "limit": HITS}),
        ("error: unknown argument", 600, "memory_plan", "create", {"titel": "A plan"}),
        ("error: unknown plan", 700, "memory_plan", "get", {"plan_id": plan_id[:-1]}),
        ("error: not the holder", 400, "memory_steps", "heartbeat", {"plan_id": plan_id, "step_index": 1}),
        # Those below have a bar by the promise of the server, those above one a little over what they take.
        ("briefing of a plan", BRIEFING_BAR, "memory_agent", "init", {"agent": "tester", "plan_id": other_id}),
        ("briefing of a workspace", BRIEFING_BAR, "memory_agent", "init", {"agent": "tester"}),
    )
    found = [sized("next, claims: beyond its text", "bytes", beyond(first), NEXT_BAR)]
    found += [sized("next, finishes and claims: beyond its text", "bytes", beyond(second), NEXT_BAR)]
    for name, bar, tool, action, arguments in asked:
        found.append(sized(name, "bytes", len((await scribe(tool, action, **arguments)).encode()), bar))
    return found


def beyond(answer: str) -> int:
    """Return the bytes of an answer of `next` but for the texts of its step."""
    step = json.loads(answer)["next"]
    return len(answer.encode()) - sum(len(step.get(name, "").encode()) for name in ("task", "phase", "notes"))


async def session(scribe: Scribe, plan_id: str) -> list[Figure]:
    """Return what an agent sends and reads from init to complete: a plan of 100 steps, worked off with findings."""
    scribe.sent = scribe.read = scribe.calls = 0
    begun = await scribe.told("memory_agent", "init", agent="executor", plan_id=plan_id)
    me = {"session_id": begun["session_id"]}
    got = await scribe.told("memory_steps", "next", plan_id=plan_id, **me)
    while step := got.get("next"):
        if step["index"] % STEPS == 0:
            await scribe(
                "memory_context", "store", plan_id=plan_id, type=f"findings-{step['index']}", data=["ok"], **me
            )
        got = await scribe.told("memory_steps", "next", plan_id=plan_id, step_id=step["step_id"], notes="Done.", **me)
    await scribe("memory_agent", "handoff", to_agent="reviewer", reason="Every step is done.", **me)
    await scribe("memory_agent", "complete", summary="Worked off the plan.", **me)
    return [
        sized(f"session of {scribe.calls} calls: read", "bytes", scribe.read, CALL_BAR * scribe.calls),
        sized(f"session of {scribe.calls} calls: sent", "bytes", scribe.sent),
    ]
