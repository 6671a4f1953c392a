"""Whatever free text an entry of the ledger has, a secret in it is nowhere in the database."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from server.registry import Action
from server.text.redaction import BLANK
from server.tools import TOOLS
from tests.conftest import Agent

TOOL = "memory_ledger"
SECRET = "hunter2hunter2"
SHAPE = "ghp_" + "Ab1" * 12
WRITING = {action.name: action for action in TOOLS[TOOL].actions.values() if action.writes({})}
# By these others find and count entries: words of a vocabulary, ids, times.
WORDS = {
    "agent", "artifact_type", "bucket", "category", "config_hash", "decision_type", "gate_name", "key",
    "kind", "phase", "plan_id", "run_id", "scope", "severity", "status", "step_id", "supersedes", "term", "type",
    "unit",
}  # fmt: skip
KEPT = {"payload"}  # of a cache, which gives back what was put there
NUMBERS = {"breakdown"}
PROSE = {"decision", "rationale", "alternatives", "context"}  # in which `token: JWT` is no secret


def texts(action: Action) -> list[str]:
    kinds = {name: param.schema.get("type") for name, param in action.own.items()}
    free = [name for name, kind in kinds.items() if kind in ("string", "array", "object")]
    return [name for name in free if name not in WORDS | KEPT | NUMBERS]


EVERY = [(name, param) for name, action in WRITING.items() for param in texts(action)]


def with_secret(param: str, kind: str) -> Any:
    said = SHAPE if param in PROSE else f"curl -u me:{SECRET} https://a.org?token={SECRET}"
    if param == "calls":
        return [{"tool": said, "args": {"argv": ["mysql", f"-p{SECRET}"]}, "result": said, "error": said}]
    if param == "points":
        return [{"name": said, "value": 1, "data": {"api_key": SECRET}}]
    nested = {"api_key": SECRET, "log": [said], "argv": ["docker", "login", "-p", SECRET]}
    return {"string": said, "array": ["a", said], "object": {"log": [said]} if param in PROSE else nested}[kind]


async def everything(db: Database) -> str:
    tables = await db.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    rows = [row for (table,) in tables for row in await db.all(f"SELECT * FROM {table}")]
    return "\n".join(str(tuple(row)) for row in rows)


@pytest.mark.parametrize(("name", "param"), EVERY)
async def test_no_secret_in_a_text_of_the_ledger_is_stored(
    agent: Agent, workspace_id: str, db: Database, name: str, param: str
) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Plan", steps=[{"task": "work"}])
    ids = {"plan_id": plan["plan_id"], "step_id": plan["step_ids"][0]}
    action = WRITING[name]
    sent = {key: value for key, value in action.example.items() if key not in ("action", "supersedes")}
    sent = {key: ids.get(key, value) for key, value in sent.items()}
    sent |= {"plan_id": plan["plan_id"]} if "plan_id" in action.params else {"workspace_id": workspace_id}
    if name == "finish_run":
        sent["run_id"] = (await agent(TOOL, "start_run", name="nightly", plan_id=plan["plan_id"], agent="ada"))[
            "run_id"
        ]
    sent[param] = with_secret(param, action.own[param].schema["type"])
    if name == "add_artifact" and param not in ("name", "artifact_type"):  # what it said before is kept as well
        await agent(TOOL, name, **{**sent, param: {"a": 1} if param == "metadata" else "old"}, agent="ada")
    await agent(TOOL, name, **sent, **({} if "agent" in sent else {"agent": "ada"}))
    stored = await everything(db)
    assert SECRET not in stored
    assert SHAPE not in stored
    assert BLANK in stored


async def test_what_was_blanked_out_is_found_by_the_name_it_was_given(agent: Agent, workspace_id: str) -> None:
    name = f"curl -u me:{SECRET} https://a.org"
    for _ in "12":
        await agent(TOOL, "set_progress", workspace_id=workspace_id, task_name=name, percent=10, agent="ada")
    assert (await agent(TOOL, "list_progress", workspace_id=workspace_id, task_name=name))["total"] == 1


async def test_words_of_prose_are_no_secrets(agent: Agent, workspace_id: str) -> None:
    said = {"decision": "token: JWT, cookie: never; password: hashed", "rationale": "Authorization: OAuth2 is known"}
    made = await agent(TOOL, "decide", workspace_id=workspace_id, agent="ada", **said)
    got = await agent(TOOL, "list_decisions", decision_id=made["decision_id"])
    assert {name: got[name] for name in said} == said


def test_there_is_no_word_that_no_action_takes() -> None:
    taken = {name for action in WRITING.values() for name in action.own}
    assert taken >= WORDS | KEPT | NUMBERS | PROSE
