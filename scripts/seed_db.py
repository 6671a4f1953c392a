"""Make or update a database: `seed_db.py [--data-root DIR] [--demo]`, and every other setting of the server.

Applies what migrations are pending, seeds the catalog and the content that ships with the server, and says what it did.
`--demo` adds a project folder in the data root with plans, a session and what agents leave behind, if it is not there.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import anyio

from server import calls, settings
from server.errors import ProjectMemoryError
from server.settings import ASSETS, Settings
from server.store import Store

DEMO = "demo-project"
Json = dict[str, Any]


class Agent:
    """Calls the tools, in the workspace of the demo."""

    def __init__(self, store: Store, project: Path) -> None:
        self.store = store
        self.project = project

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> Json:
        told = {"workspace_path": str(self.project), **arguments, "action": action}
        return await calls.answer(self.store, tool, told)


async def prepare(chosen: Settings, *, demo: bool) -> None:
    print(f"{'updating' if chosen.database.exists() else 'making'} {chosen.database}")
    store = Store(chosen)
    try:
        database = await store.open()
        print(f"it is current: schema version {database.schema_version}")
        if demo:
            await add_demo(Agent(store, chosen.data_root / DEMO))
    finally:
        await store.close()


async def add_demo(agent: Agent) -> None:
    agent.project.mkdir(exist_ok=True)
    workspace = await agent("memory_workspace", "register", name="Demo")
    if workspace.get("plan_counts"):
        print(f"the demo data is there already: {workspace['plan_counts']}")
        return
    text = (ASSETS / "catalog" / "demo-plan.md").read_text(encoding="utf-8")
    begun = await agent("memory_plan", "import", content=text, priority="high")
    for template in ("feature", "bugfix"):
        await agent("memory_plan", "create_from_template", template=template, title=f"A {template} from its template")
    await work(agent, begun["plan_id"])
    counts = (await agent("memory_workspace", "stats"))["rows"]
    print("added demo data: " + ", ".join(f"{count} {table}" for table, count in sorted(counts.items())))


async def work(agent: Agent, plan_id: str) -> None:
    """Leave a plan in the state that an agent in the middle of it leaves behind."""
    session = await agent("memory_agent", "init", agent="executor", plan_id=plan_id)
    me = {"session_id": session["session_id"], "plan_id": plan_id}
    got = await agent("memory_steps", "next", **me)
    await agent("memory_steps", "next", **me, step_id=got["next"]["step_id"], notes="Five places, all in rotate().")
    await agent("memory_context", "store", **me, type="findings", data={"renames": 2, "compresses": 1, "removes": 2})
    await agent(
        "memory_context", "remember", **me, scope="plan", key="test-command", value="pytest -q tests/test_rotate.py"
    )
    await agent("memory_plan", "add_note", **me, note="The nightly job runs at 02:00.", note_type="info")
    await agent("memory_agent", "handoff", **me, to_agent="tester", reason="The order of removal needs a test.")


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        flags, words = settings.split(sys.argv[1:])
        if unknown := [word for word in words if word != "--demo"]:
            print(f"{', '.join(unknown)} is unknown.\n{__doc__}", file=sys.stderr)
            return 2
        anyio.run(lambda: prepare(settings.load(flags), demo="--demo" in words))
    except ProjectMemoryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
