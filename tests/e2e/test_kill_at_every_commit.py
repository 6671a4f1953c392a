"""kill -9 just before and just after every commit of a session: what was answered is there, nothing is half there."""

import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server.settings import DATABASE_NAME
from tests.e2e.commands import script
from tests.e2e.processes import Died, ServerProcess
from tests.thoroughness import often

WORKER = str(Path(__file__).with_name("dying_server.py"))
STEPS = ["a", "b", "c"]
MOST_COMMITS = 40


class Session:
    """An agent at work; it remembers every answer it got."""

    def __init__(self, server: ServerProcess, project: Path) -> None:
        self.server = server
        self.project = project
        self.plan_id = ""
        self.session_id = ""
        self.done: list[str] = []
        self.stored: dict[str, Any] = {}

    async def run(self) -> None:
        """Register, plan, work, remember, hand over."""
        call = self.server
        workspace = await call("memory_workspace", "register", workspace_path=str(self.project))
        plan = await call(
            "memory_plan",
            "create",
            workspace_id=workspace["workspace_id"],
            title="Short",
            category="quick_task",
            phases=[{"name": "Work", "steps": [{"task": task} for task in STEPS]}],
        )
        self.plan_id = plan["plan_id"]
        session = await call("memory_agent", "init", agent="ada", plan_id=self.plan_id)
        self.session_id = session["session_id"]
        await self.work()
        await call("memory_agent", "handoff", session_id=self.session_id, to_agent="bob", reason="done")
        await call("memory_agent", "complete", session_id=self.session_id, summary="all done")

    async def work(self) -> None:
        """Finish what is open, storing a result for each step."""
        held: dict[str, Any] = {}
        while True:
            answer = await self.server("memory_steps", "next", plan_id=self.plan_id, session_id=self.session_id, **held)
            if "completed" in answer:
                self.done.append(answer["completed"]["step_id"])
            if "next" not in answer:
                return
            step = answer["next"]
            held = {"step_id": step["step_id"]}
            data = {"task": step["task"], "result": "green"}
            await self.server(
                "memory_context",
                "store",
                plan_id=self.plan_id,
                session_id=self.session_id,
                type=f"result-{step['task']}",
                data=data,
            )
            self.stored[f"result-{step['task']}"] = data


async def lived_to_the_end(session: Session) -> bool:
    try:
        await session.run()
    except Died:
        assert await session.server.process.wait() == -signal.SIGKILL
        return False
    await session.server.kill()
    return True


async def begin(data_root: Path, project: Path, at: int, moment: str) -> Session:
    """Start a session whose server dies at its commit number `at`; one that dies while opening starts again."""
    server = await ServerProcess.start(data_root, command=(*script(WORKER), str(at), moment))
    return Session(server, project)


def check_whole(data_root: Path) -> None:
    db = sqlite3.connect(data_root / DATABASE_NAME)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        plans = db.execute("SELECT count(*) FROM plans").fetchone()[0] if _has_tables(db) else 0
        steps = db.execute("SELECT count(*) FROM steps").fetchone()[0] if plans else 0
        assert steps == plans * len(STEPS)
    finally:
        db.close()


def _has_tables(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'plans'").fetchone())


async def check_answers(session: Session, server: ServerProcess) -> None:
    """Everything that was answered before the death is there after it."""
    for step_id in session.done:
        assert (await server("memory_steps", "get", step_id=step_id))["status"] == "done"
    for kind, data in session.stored.items():
        assert (await server("memory_context", "get", plan_id=session.plan_id, type=kind))["data"] == data
    if session.session_id:
        assert (await server("memory_session", "get_session", session_id=session.session_id))["agent"] == "ada"


async def resume(session: Session, server: ServerProcess) -> None:
    """Go on where the dead server stopped, to the end."""
    session.server = server
    if not session.session_id:
        await session.run()
    else:
        state = await server("memory_session", "get_session", session_id=session.session_id)
        if state["status"] == "active":
            await server("memory_agent", "recover", session_id=session.session_id)
            await session.work()
    plan = await server("memory_plan", "get", plan_id=session.plan_id)
    assert (plan["steps_done"], plan["steps_total"]) == (len(STEPS), len(STEPS))


# Before a commit there is what the one before it left: behind it, a few show that an answer is not missed.
@pytest.mark.parametrize(("moment", "stride"), [("before", often(1, usual=3)), ("after", often(3, usual=9))])
async def test_a_session_survives_a_kill_at_each_of_its_commits(
    tmp_path: Path, project: Path, moment: str, stride: int
) -> None:
    for at in range(1, MOST_COMMITS, stride):
        data_root = tmp_path / f"data-{at}"
        session = await begin(data_root, project, at, moment)
        finished = await lived_to_the_end(session)
        check_whole(data_root)
        server = await ServerProcess.start(data_root)
        await check_answers(session, server)
        await resume(session, server)
        assert await server.close() == 0
        check_whole(data_root)
        if finished:
            assert at > len(STEPS) * 2
            return
    pytest.fail(f"the session has more than {MOST_COMMITS} commits")
