"""A plan with a gate, worked through by an agent over stdio and a person at a terminal."""

import ast
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from server.cli import person
from server.models import documents
from tests.conftest import Agent, ToolError
from tests.e2e.terminals import COMMAND, SECONDS, Terminal, confirmed, piped

# The system tells another thread of Ctrl-C, so that nothing interrupts what this one waits for.
UNNOTICED = """
import signal, threading
from server.cli import person

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    person.ask(["Shall it be?"], "do it")
except KeyboardInterrupt:
    raise SystemExit(130)
"""


def test_ctrl_c_that_interrupts_no_read_ends_a_question(tmp_path: Path) -> None:
    asked = Terminal(tmp_path, program=[sys.executable, "-c", UNNOTICED])
    asked.read_to(r"Type (\w{4}) to do it")
    asked.type("\x03")
    assert asked.end() == 130, asked.shown


async def plan_of(agent: Agent, workspace_id: str) -> tuple[str, str]:
    steps: list[dict[str, Any]] = [{"task": "Switch \x1b]0;x\x07it on\u202e", "type": "user_validation"}]
    made = {"title": "Vouchers", "category": "quick_task", "workspace_id": workspace_id}
    plan = await agent("memory_plan", "create", steps=steps, **made)
    return plan["plan_id"], plan["step_ids"][0]


def waiting_call(message: str) -> dict[str, Any]:
    """The arguments of the call that a refusal proposes for waiting."""
    said = re.search(r"action='events' (.*?), again while", message)
    assert said
    call = ast.parse(f"f({re.sub(r' (?=[a-z_]+=)', ', ', said[1])})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}


async def refusal(agent: Agent, plan_id: str) -> dict[str, Any]:
    return await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")


async def test_a_plan_with_a_gate_is_worked_through_with_what_errors_and_help_say(tmp_path: Path) -> None:
    root, project = tmp_path / "data", tmp_path / "project"
    project.mkdir()
    parameters = StdioServerParameters(
        command=sys.executable, args=[*COMMAND[1:], "--data-root", str(root)], cwd=str(project)
    )
    async with Client(stdio_client(parameters), read_timeout_seconds=SECONDS) as client:
        agent = Agent(client)
        workspace = await agent("memory_workspace", "register", workspace_path=str(project))
        plan_id, step_id = await plan_of(agent, workspace["workspace_id"])
        session = {"session_id": (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["session_id"]}
        await agent("memory_steps", "next", plan_id=plan_id, **session)
        with pytest.raises(ToolError) as caught:
            await agent("memory_steps", "next", plan_id=plan_id, step_id=step_id, **session)
        said = re.search(r"in a terminal: (.*?) \. ", caught.value.error["message"])
        assert said
        wait = waiting_call(caught.value.error["message"])
        assert (await agent("memory_workspace", "events", **wait | {"wait_seconds": 0}))["events"] == []

        words = said[1].split()
        answered = asyncio.create_task(
            asyncio.to_thread(confirmed, root, *words[words.index("confirm") :], "--note", "go ahead")
        )
        waited = await agent("memory_workspace", "events", **wait)
        shown = await answered
        assert [event["type"] for event in waited["events"]] == ["approval_approved"]
        assert [event["data"]["via"] for event in waited["events"]] == ["terminal"]
        done = await agent("memory_steps", "next", plan_id=plan_id, step_id=step_id, **session)
        assert done["completed"]["status"] == "done"
        step = await agent("memory_steps", "get", step_id=step_id)
        assert (step["confirmed_by"], step["confirmed_via"]) == ("human", "terminal")
    assert "Asked by: ada" in shown
    assert not {"\x1b]", "\x07", "\u202e"} & {shown[i : i + n] for i in range(len(shown)) for n in (1, 2)}


async def test_a_no_in_a_terminal_reaches_whoever_asked(agent: Agent, workspace_id: str) -> None:
    assert agent.settings
    plan_id, step_id = await plan_of(agent, workspace_id)
    asked = await refusal(agent, plan_id)
    listed = piped(agent.settings.data_root, "approvals")
    assert asked["approval_id"] in listed.stdout
    told = json.loads(piped(agent.settings.data_root, "approvals", "--json").stdout)
    assert [row["approval_id"] for row in told["approvals"]] == [asked["approval_id"]]

    shown = confirmed(agent.settings.data_root, "reject", step_id, "--note", "not today")
    assert "ada is told." in shown

    [line] = (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["answers"]
    assert (line["status"], line["note"]) == ("rejected", "not today")
    assert "reached" in piped(agent.settings.data_root, "approvals").stdout
    refused = await refusal(agent, plan_id)
    assert "not today" in refused["message"]

    shown = confirmed(agent.settings.data_root, "confirm", refused["approval_id"])
    assert "not today" in shown
    done = await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")
    assert done["status"] == "done"


async def test_without_the_code_nothing_is_confirmed(agent: Agent, workspace_id: str) -> None:
    assert agent.settings
    plan_id, step_id = await plan_of(agent, workspace_id)
    terminal = Terminal(agent.settings.data_root, "confirm", step_id)
    terminal.read_to(r"Type (\w{4}) to ")
    terminal.type("yes\n")
    assert terminal.end() != 0
    assert "Nothing was changed" in terminal.shown
    assert (await refusal(agent, plan_id))["code"] == "gated"


@pytest.mark.parametrize("words", [("confirm",), ("reject",)])
async def test_a_pipe_is_no_person(agent: Agent, workspace_id: str, words: tuple[str]) -> None:
    assert agent.settings
    plan_id, _ = await plan_of(agent, workspace_id)
    asked = await refusal(agent, plan_id)
    answer = piped(agent.settings.data_root, *words, asked["approval_id"], text="AAAA\n")
    assert answer.returncode != 0
    assert "pipe" in answer.stderr
    assert (await refusal(agent, plan_id))["approval_id"] == asked["approval_id"]


@pytest.mark.parametrize("sign", ["CLAUDECODE", "CODEX_SANDBOX", "GEMINI_CLI", "CURSOR_AGENT", person.MARKER])
async def test_an_agent_in_a_terminal_is_no_person(agent: Agent, workspace_id: str, sign: str) -> None:
    assert agent.settings
    plan_id, step_id = await plan_of(agent, workspace_id)
    terminal = Terminal(agent.settings.data_root, "confirm", step_id, env={sign: "1"})
    assert terminal.end() != 0
    assert sign in terminal.shown
    assert "Type " not in terminal.shown
    assert (await refusal(agent, plan_id))["code"] == "gated"


async def test_what_loosens_a_setting_takes_a_person(agent: Agent, workspace_id: str) -> None:
    assert agent.settings
    root = agent.settings.data_root
    assert piped(root, "config", "get", "gates").stdout.strip() == "human"
    refused = piped(root, "config", "set", "gates", "relayed")
    assert refused.returncode != 0
    under_an_agent = Terminal(root, "config", "set", "gates", "relayed", env={"CLAUDECODE": "1"})
    assert under_an_agent.end() != 0
    assert "CLAUDECODE" in under_an_agent.shown
    assert piped(root, "config", "get", "gates").stdout.strip() == "human"
    confirmed(root, "config", "set", "gates", "relayed")
    assert piped(root, "config", "get", "gates").stdout.strip() == "relayed"
    assert "human (terminal)" in piped(root, "config", "list").stdout
    _, step_id = await plan_of(agent, workspace_id)
    confirm = {"confirmation_scope": "step", "step_id": step_id, "agent": "bob"}
    assert (await agent("memory_plan", "confirm", **confirm))["confirmed_by"] == "relayed by bob"
    assert piped(root, "config", "set", "gates", "human").returncode == 0
    assert piped(root, "config", "get", "gates").stdout.strip() == "human"
    assert piped(root, "config", "get", "nothing").returncode != 0
    assert piped(root, "config", "set", "gates", "nobody").returncode != 0


async def test_what_does_not_wait_is_named(agent: Agent, workspace_id: str) -> None:
    assert agent.settings
    plan_id, step_id = await plan_of(agent, workspace_id)
    for words in (("confirm", "appr_nothing"), ("reject", step_id), ("confirm", step_id[-6:])):
        terminal = Terminal(agent.settings.data_root, *words)
        assert terminal.end() != 0
        assert "Type " not in terminal.shown
    asked = await refusal(agent, plan_id)
    confirmed(agent.settings.data_root, "confirm", asked["approval_id"])
    again = Terminal(agent.settings.data_root, "confirm", asked["approval_id"])
    again.type_code()
    assert again.end() != 0
    assert "approved already" in again.shown


async def test_a_document_says_no_human_word_on_a_plan_that_is_there(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    assert agent.settings
    root = agent.settings.data_root
    plan_id, step_id = await plan_of(agent, workspace_id)
    cancel = {"plan_id": plan_id, "step_index": 0, "status": "cancelled", "agent": "ada"}
    asked = await agent.fails("memory_steps", "update", **cancel)
    assert piped(root, "export", str(tmp_path / "out")).returncode == 0
    [path] = (tmp_path / "out").rglob(f"{plan_id}.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    tables = document["tables"]
    [row] = tables["approvals"]
    tables["approvals"].append({**row, "approval_id": "appr_forged", "status": "approved", "via": "terminal"})
    word = {"confirmation_id": "conf_forged", "plan_id": plan_id, "step_id": step_id, "confirmed_by": "human"}
    tables["confirmations"] = [{**word, "via": "terminal", "created_at": row["created_at"]}]
    document["sha256"] = documents.digest(document)
    path.write_text(json.dumps(document), encoding="utf-8")

    imported = piped(root, "import", str(tmp_path / "out"))
    assert imported.stdout.count("a human's word on a plan that is there already") == 2, imported.stdout
    assert (await refusal(agent, plan_id))["code"] == "gated"
    assert (await agent.fails("memory_steps", "update", **cancel))["approval_id"] == asked["approval_id"]
