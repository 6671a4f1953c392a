"""kill -9 while a client asks its user, and between the answer and the write: only what a human said is recorded."""

import json
import signal
import sqlite3
from pathlib import Path
from typing import Any, Literal

import pytest

from server.protocol.elicitation import KEY
from server.settings import DATABASE_NAME
from tests.e2e.commands import script
from tests.e2e.conftest import ENVELOPE, HELLO
from tests.e2e.processes import Died, ServerProcess
from tests.thoroughness import often

Era = Literal["older", "newer"]
eras = pytest.mark.parametrize("era", ["older", "newer"])
CAPABILITIES: dict[str, Any] = {"elicitation": {}}
META = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
WORKER = str(Path(__file__).with_name("dying_server.py"))
YES = {"action": "accept", "content": {"answer": "yes"}}
MOST_COMMITS = 12
DEATHS = (("older", "before"), ("newer", "after"), ("older", "after"), ("newer", "before"))


class Asking(ServerProcess):
    """A client that can ask its user, of either era."""

    era: Era

    @classmethod
    async def open(cls, root: Path, era: Era) -> "Asking":
        server = await cls.launch(root)
        await server.greet(era)
        return server

    async def greet(self, era: Era) -> None:
        self.era = era
        if era == "older":
            await self.request("initialize", {**HELLO, "capabilities": CAPABILITIES})
            await self.send({"method": "notifications/initialized"})

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.process.stdin.drain()

    async def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        if not (line := await self.process.stdout.readline()):
            raise Died
        return json.loads(line)

    async def ask(self, call: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Send a call and return what comes next: the question, or the result."""
        meta = {"_meta": META} if self.era == "newer" else {}
        params = {"name": "memory_steps", "arguments": call, **more, **meta}
        await self.send({"id": 7, "method": "tools/call", "params": params})
        return await self.receive()

    async def answer(self, call: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
        """Give the user's yes and return the result of the call."""
        if self.era == "newer":
            state = question["result"]["requestState"]
            return await self.ask(call, inputResponses={KEY: YES}, requestState=state)
        await self.send({"id": question["id"], "result": YES})
        return await self.receive()


def is_question(message: dict[str, Any]) -> bool:
    return message.get("method") == "elicitation/create" or KEY in message.get("result", {}).get("inputRequests", {})


def recorded(root: Path) -> tuple[list[Any], list[Any], str]:
    """The confirmations, the rows that wait or waited, and the status of the step."""
    db = sqlite3.connect(root / DATABASE_NAME)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        given = db.execute("SELECT confirmed_by, via FROM confirmations").fetchall()
        rows = db.execute("SELECT status, via FROM approvals").fetchall()
        return given, rows, db.execute("SELECT status FROM steps").fetchone()[0]
    finally:
        db.close()


async def prepared(root: Path, project: Path) -> dict[str, Any]:
    """Make a plan whose only step waits for a word, and return the call that wants to finish it."""
    server = await ServerProcess.start(root)
    place = await server("memory_workspace", "register", workspace_path=str(project))
    made = {"workspace_id": place["workspace_id"], "title": "Vouchers", "category": "quick_task"}
    plan = await server("memory_plan", "create", steps=[{"task": "look", "type": "confirmation"}], **made)
    assert await server.close() == 0
    return {"action": "update", "plan_id": plan["plan_id"], "step_index": 0, "status": "done", "agent": "ada"}


@eras
async def test_a_server_that_is_killed_while_the_user_is_asked_records_nothing(
    tmp_path: Path, project: Path, era: Era
) -> None:
    root = tmp_path / "data"
    call = await prepared(root, project)
    server = await Asking.open(root, era)
    question = await server.ask(call)
    assert is_question(question), question
    await server.kill()
    assert recorded(root) == ([], [("open", None)], "pending")

    server = await Asking.open(root, era)
    if era == "newer":  # an answer to the question of the one that died is none
        asked = await server.answer(call, question)
    else:
        asked = await server.ask(call)
    assert is_question(asked), asked
    assert recorded(root) == ([], [("open", None)], "pending")
    assert not (await server.answer(call, asked))["result"].get("isError")
    await server.close()
    assert recorded(root) == ([("human", "elicitation")], [("approved", "elicitation")], "done")


@pytest.mark.parametrize(("era", "moment"), DEATHS[: often(4, usual=2)])
async def test_a_server_that_is_killed_after_the_yes_keeps_it_or_asks_again(
    tmp_path: Path, project: Path, era: Era, moment: str
) -> None:
    first = tmp_path / "first"
    call = await prepared(first, project)
    died: list[str] = []
    for at in range(1, MOST_COMMITS):
        root = tmp_path / f"data-{at}"
        root.mkdir(mode=0o700)
        (root / DATABASE_NAME).write_bytes((first / DATABASE_NAME).read_bytes())
        said_yes = finished = False
        server = await Asking.launch(root, command=(*script(WORKER), str(at), moment))
        try:
            await server.greet(era)
            question = await server.ask(call)
            said_yes = is_question(question)
            finished = not (await server.answer(call, question))["result"].get("isError")
            await server.kill()
        except Died:
            assert await server.process.wait() == -signal.SIGKILL
        given, rows, status = recorded(root)
        assert said_yes or not given
        assert (status == "done") <= bool(given)
        died.append("" if finished else f"{'yes' if said_yes else 'asked'} {len(given)} {status}")

        server = await Asking.open(root, era)
        again = await server.ask(call)
        assert is_question(again) is not bool(given)
        if not given:
            assert all(row == ("open", None) for row in rows)
            again = await server.answer(call, again)
        assert not again["result"].get("isError"), again
        await server.close()
        assert recorded(root)[0] == [("human", "elicitation")]
        if finished:
            break
    assert died[-1] == ""
    assert {"yes 0 pending", "yes 1 pending"} & set(died)
