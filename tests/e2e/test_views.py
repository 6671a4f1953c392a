"""What a person sees of the store, by real commands, in pipes and on a terminal."""

import asyncio
import json
import os
import re
import shlex
import signal
import sqlite3
import termios
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rich.cells import cell_len

from server.settings import DATABASE_NAME
from tests.conftest import Agent
from tests.e2e.processes import ServerProcess
from tests.e2e.terminals import Terminal, piped

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOSTILE = "Switch \x1b]0;x\x07\x1b[2J it [red]on[/red]\u202e"
LONG = "日本語の長い題名" * 50
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"

Ids = dict[str, Any]


@pytest_asyncio.fixture
async def filled(agent: Agent, workspace_id: str) -> Ids:
    """A workspace in which everything is that a person should look after."""
    here = {"workspace_id": workspace_id}
    parts: list[dict[str, Any]] = [{"task": f"Part {n}", "depends_on": [1]} for n in range(30)]
    phases: list[dict[str, Any]] = [
        {"name": "Look", "steps": [{"task": "Read the code"}, {"task": LONG}]},
        {"name": "Build", "approval_required": True, "steps": parts},
    ]
    plan = await agent("memory_plan", "create", title="Vouchers [red]", phases=phases, **here)
    gated = [{"task": HOSTILE, "type": "user_validation"}]
    risky = await agent("memory_plan", "create", title="Risky", category="quick_task", steps=gated, **here)
    session = await agent("memory_agent", "init", agent="ada", plan_id=plan["plan_id"])
    me = {"session_id": session["session_id"]}
    await agent("memory_steps", "next", plan_id=plan["plan_id"], **me)
    blocked = {"plan_id": plan["plan_id"], "step_index": 5, "status": "blocked", "append_notes": "no API key"}
    await agent("memory_steps", "update", **blocked, **me)
    sent = await agent("memory_session", "send_message", to_agent="human", content=f"May I?\n{HOSTILE}", **me)
    note = await agent("memory_plan", "add_note", plan_id=plan["plan_id"], note=HOSTILE, note_type="warning", **me)
    asked = await agent.fails(
        "memory_steps", "update", plan_id=risky["plan_id"], step_index=0, status="done", agent="bob"
    )
    return {
        **here, **me, "plan_id": plan["plan_id"], "step_ids": plan["step_ids"], "approval_id": asked["approval_id"],
        "message_id": sent["message_id"], "risky": risky["plan_id"], "note_id": note["note_id"],
    }  # fmt: skip


def root(agent: Agent) -> Path:
    assert agent.settings
    return agent.settings.data_root


def shown(agent: Agent, *words: str, **more: Any) -> str:
    done = piped(root(agent), *words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_status_lists_what_needs_a_person_and_where_plans_stand(agent: Agent, filled: Ids) -> None:
    lines = [line.split("\t") for line in shown(agent, "status").splitlines()]
    kinds = {row[0]: row for row in reversed(lines) if len(row) > 4}

    assert kinds["approval"][1] == filled["approval_id"]
    assert kinds["message"][1] == filled["message_id"]
    assert kinds["blocked step"][3] == "#5 Part 3 (Vouchers [red]): no API key"
    assert kinds["held"][2:5] == ["#0 Read the code", "Vouchers [red]", "ada"]
    assert kinds["free"][2] == f"#1 {LONG}"
    assert kinds["Vouchers [red]"] == ["Vouchers [red]", filled["plan_id"], "active", "", "0/32", "Look"]
    assert "answer:" in "".join(row[0] for row in lines)


async def test_status_in_json_is_the_same_for_programs(agent: Agent, filled: Ids) -> None:
    [home] = json.loads(shown(agent, "status", "--json"))["workspaces"]

    assert home["attention"]["totals"] == {
        "approvals": 1, "messages": 1, "stuck_steps": 1, "lost_leases": 0, "silent_sessions": 0,
    }  # fmt: skip
    assert {plan["plan_id"] for plan in home["plans"]} == {filled["risky"], filled["plan_id"]}
    assert [step["agent"] for step in home["held"]] == ["ada"]


async def test_status_of_a_plan_says_what_its_steps_wait_for_and_how_to_see_the_rest(agent: Agent, filled: Ids) -> None:
    text = shown(agent, "status", filled["plan_id"])

    assert "#0\tactive\tRead the code\t" in text
    assert re.search(r"#2\tpending\tPart 0\t\t\t#1", text)
    assert "awaits your yes" in text
    cut = re.search(r"(\d+) more steps: .*status (plan_\w+) --limit (\d+)", text)
    assert cut
    whole = shown(agent, "status", filled["plan_id"][-6:], "--limit", cut[3])
    assert text.count("\tPart ") + int(cut[1]) == whole.count("\tPart ") == 30
    assert json.loads(shown(agent, "status", "vouchers [red]", "--json"))["steps"][1]["task"] == LONG


async def test_status_of_a_plan_that_goes_on_says_when_it_may_be_done(agent: Agent, filled: Ids) -> None:
    assert "expected" not in shown(agent, "status", filled["plan_id"])
    first = datetime.now(UTC).date() - timedelta(days=14)
    with closing(sqlite3.connect(root(agent) / DATABASE_NAME)) as db, db:
        days = [(filled["plan_id"], (first + timedelta(days=n)).isoformat()) for n in range(14)]
        db.executemany("INSERT INTO step_counts (plan_id, day, finished) VALUES (?, ?, 2)", days)

    text = shown(agent, "status", filled["plan_id"])

    end = (first + timedelta(days=14 + 16)).isoformat()  # 32 steps are open, and each day two were done
    assert f"expected\taround {end} ({end} to {end}): 32 open, 14.0 done a week" in text
    assert json.loads(shown(agent, "status", filled["plan_id"], "--json"))["forecast"]["likely"] == end


@pytest.mark.parametrize("width", [40, 80, 200])
async def test_nothing_is_wider_than_the_terminal_and_nothing_hostile_reaches_it(
    agent: Agent, filled: Ids, width: int
) -> None:
    for words in (
        ("status",), ("status", filled["plan_id"]), ("show", filled["message_id"]), ("log",), ("messages",),
        ("search", "switch"), ("approvals",), ("show", filled["plan_id"]),
    ):  # fmt: skip
        terminal = Terminal(root(agent), *words, size=(width, 50), env={"TERM": "xterm-256color"})
        assert terminal.end() == 0, terminal.shown
        lines = [ESCAPE.sub("", line) for line in terminal.shown.replace("\r\n", "\n").split("\n")]
        assert [line for line in lines if not line.isprintable()] == []
        assert "[red]" in terminal.shown or width < 200
        wide = [line for line in lines if cell_len(line.rstrip()) > width and str(root(agent)) not in line]
        assert wide == []


async def test_without_colours_a_terminal_gets_no_escape_sequence(agent: Agent, filled: Ids) -> None:
    terminal = Terminal(root(agent), "status", env={"NO_COLOR": "1"})
    assert terminal.end() == 0
    assert filled["plan_id"] in terminal.shown
    assert "\x1b" not in terminal.shown
    coloured = Terminal(root(agent), "status")
    coloured.end()
    assert "\x1b[33m" in coloured.shown


def test_an_empty_store_is_told_what_to_do_first_and_stays_empty(tmp_path: Path, project: Path) -> None:
    done = piped(tmp_path / "data", "status", cwd=project)

    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  (\d)\.", done.stdout, re.MULTILINE) == ["1", "2", "3"]
    assert {"setup", "register", "--watch"} <= set(done.stdout.split())
    assert not (tmp_path / "data").exists()
    assert json.loads(piped(tmp_path / "data", "status", "--json").stdout)["workspaces"] == []
    register = re.search(r"call memory_workspace register \S+", done.stdout)
    assert register
    assert piped(tmp_path / "data", *register[0].split(), cwd=project).returncode == 0
    assert "No plan is under way" in piped(tmp_path / "data", "status", cwd=project).stdout


async def test_what_is_in_other_workspaces_is_counted_and_shown_with_all(
    agent: Agent, filled: Ids, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await agent("memory_workspace", "register", workspace_path=str(other))

    here = piped(root(agent), "status", cwd=other).stdout
    assert "3 things in other workspaces" in here
    assert filled["plan_id"] not in here
    everywhere = piped(root(agent), "status", "--all", cwd=other).stdout
    assert filled["plan_id"] in everywhere
    assert filled["approval_id"] in piped(root(agent), "status", cwd=project).stdout


async def test_anything_is_shown_by_its_id_the_end_of_it_or_its_place(agent: Agent, filled: Ids) -> None:
    step = filled["step_ids"][1]
    for name in (step, step[-8:], f"{filled['plan_id']}#1", f"{filled['plan_id'][-8:]}#1", "Vouchers [red]#1"):
        assert json.loads(shown(agent, "show", name, "--json"))["step_id"] == step
    assert LONG in shown(agent, "show", step)
    assert json.loads(shown(agent, "show", filled["note_id"], "--json"))["note"] == HOSTILE
    for name in ("approval_id", "message_id", "session_id", "workspace_id"):
        assert json.loads(shown(agent, "show", filled[name], "--json"))[name] == filled[name]
    assert len(json.loads(shown(agent, "show", filled["plan_id"], "--json"))["steps"]) == 32

    for name, says in (("nothing", "Nothing has the id"), ("qwe", "4 characters"), (f"{step}#x", "PLAN#index")):
        done = piped(root(agent), "show", name)
        assert done.returncode
        assert says in done.stderr


async def test_an_end_that_two_ids_have_names_both(agent: Agent, filled: Ids, workspace_id: str) -> None:
    await agent("memory_plan", "create", title="One", category="quick_task", workspace_id=workspace_id)
    everything = shown(agent, "log", "--limit", "500")
    ids = re.findall(r"\t((?:plan|step|sess)_\w+)\t", everything)
    ends = [name[-1] for name in ids]
    assert ends
    done = piped(root(agent), "status", "r")
    assert done.returncode
    assert "More than one plan" in done.stderr


async def test_an_error_quotes_nothing_hostile(agent: Agent, workspace_id: str) -> None:
    for place in ("here", "there"):
        hostile = {"title": f"Same \u202e[2J {place}", "category": "quick_task"}
        await agent("memory_plan", "create", workspace_id=workspace_id, **hostile)
    for words in (
        ("status", "same"),
        ("show", "\x1b]0;x\x07"),
        ("search", "x", "--plan", "\u2066x"),
        ("log", "-t", "\x1b[2J"),
    ):
        done = piped(root(agent), *words)
        assert done.returncode, words
        assert done.stderr.rstrip("\n").isprintable()
        assert "Traceback" not in done.stderr


async def test_search_finds_and_says_how_to_read_what_it_found(agent: Agent, filled: Ids) -> None:
    rows = [line.split("\t") for line in shown(agent, "search", "vouchers").splitlines()]
    assert ["plan", filled["plan_id"]] in [row[:2] for row in rows]
    nothing = piped(root(agent), "search", "qwertyuiop")
    assert (nothing.returncode, nothing.stdout) == (1, "Nothing is found. --all looks into all workspaces.\n")
    assert shown(agent, "show", rows[0][1])


async def test_every_call_that_search_names_reads_what_it_found(agent: Agent, filled: Ids) -> None:
    for kind in ("agent", "instruction", "skill", "action"):
        words = shown(agent, "search", "review", "plan", "--type", kind, "--limit", "1").splitlines()[0].split("\t")
        assert words[0] == kind
        assert shown(agent, *shlex.split(words[1])), words


async def test_the_log_follows_what_others_do(agent: Agent, filled: Ids) -> None:
    terminal = Terminal(root(agent), "log", "-f", "-n", "1", env={"NO_COLOR": "1"})
    terminal.read_to("approval asked")
    await agent("memory_plan", "add_note", plan_id=filled["plan_id"], note="later", agent="bob")
    terminal.read_to(r"bob  note added  later")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


async def test_the_log_is_narrowed_to_a_plan_and_types(agent: Agent, filled: Ids) -> None:
    of_plan = shown(agent, "log", "--plan", filled["risky"]).splitlines()
    assert of_plan
    assert all(len(line.split("\t")) == 6 for line in of_plan)
    assert {line.split("\t")[3] for line in shown(agent, "log", "-t", "message").splitlines()} == {"message_sent"}
    wrong = piped(root(agent), "log", "-t", "mesage")
    assert wrong.returncode == 2
    assert "Did you mean 'message'" in wrong.stderr


async def test_watching_redraws_on_a_change_and_leaves_the_screen_as_it_was(agent: Agent, filled: Ids) -> None:
    terminal = Terminal(root(agent), "status", "--watch", size=(120, 40))
    terminal.read_to("q leaves")
    drawn = len(terminal.shown)
    await agent("memory_plan", "create", title="A new one", category="quick_task", workspace_id=filled["workspace_id"])
    terminal.read_to("A new one", after=drawn)
    terminal.resize(60, 10)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.read_to("more lines than fit")
    terminal.type("q")
    assert terminal.end() == 0
    assert_restored(terminal)


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_leaves_the_screen_as_it_was(
    agent: Agent, filled: Ids, ending: signal.Signals, code: int
) -> None:
    terminal = Terminal(root(agent), "status", filled["plan_id"], "--watch")
    terminal.read_to("q leaves")
    os.kill(terminal.process.pid, ending)
    assert terminal.end() == code
    assert_restored(terminal)


async def test_an_error_leaves_the_screen_as_it_was_and_is_told_there(agent: Agent, filled: Ids) -> None:
    terminal = Terminal(root(agent), "status", filled["plan_id"], "--watch")
    terminal.read_to("q leaves")
    await agent("memory_plan", "delete", plan_id=filled["plan_id"], confirm=True, force=True, agent="ada")
    assert terminal.end() == 1
    assert_restored(terminal)
    assert "No plan has the id" in terminal.shown.rpartition(BACK)[2]


def assert_restored(terminal: Terminal) -> None:
    assert terminal.shown.count(ALTERNATE) == terminal.shown.count(BACK) == 1
    assert terminal.shown.index(ALTERNATE) < terminal.shown.index(BACK)
    assert terminal.shown.rpartition(BACK)[0].endswith("\x1b[?25h")
    assert terminal.modes_left == terminal.modes
    assert "Traceback" not in terminal.shown


async def test_while_it_is_suspended_the_screen_is_that_of_the_shell(agent: Agent, filled: Ids) -> None:
    terminal = Terminal(root(agent), "status", "--watch")
    terminal.read_to("q leaves")
    os.kill(terminal.process.pid, signal.SIGTSTP)
    terminal.read_to(re.escape(BACK))
    _, status = await asyncio.to_thread(os.waitpid, terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert termios.tcgetattr(terminal.theirs) == terminal.modes
    before = len(terminal.shown)
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.read_to("q leaves", after=before)
    assert ALTERNATE in terminal.shown[before:]
    terminal.type("q")
    assert terminal.end() == 0
    assert terminal.modes_left == terminal.modes


async def test_thousands_of_steps_are_shown_while_a_server_writes(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": f"Step number {n}"} for n in range(2000)]
    made = {"title": "Large", "category": "quick_task", "workspace_id": workspace_id}
    plan_id = (await agent("memory_plan", "create", steps=steps, **made))["plan_id"]
    follower = Terminal(root(agent), "log", "-f", "-n", "1", env={"NO_COLOR": "1"})
    follower.read_to("100 steps or more")
    server = await ServerProcess.start(root(agent))
    notes = 30
    try:
        writing = asyncio.create_task(_write_notes(server, plan_id, notes))
        shown_meanwhile = [await asyncio.to_thread(piped, root(agent), "status", *words) for words in ([], [plan_id])]
        await writing
    finally:
        await server.kill()
    assert [(done.returncode, done.stderr) for done in shown_meanwhile] == [(0, "")] * 2
    assert "1,975 more steps: " in shown_meanwhile[1].stdout
    assert shown_meanwhile[1].stdout.count("Step number") == 25
    await asyncio.to_thread(follower.read_to, f"note {notes - 1} of it")
    follower.type("\x03")
    assert follower.end() == 130
    assert re.findall(r"note added  note (\d+) ", follower.shown) == [str(n) for n in range(notes)]


async def _write_notes(server: ServerProcess, plan_id: str, number: int) -> None:
    for n in range(number):
        await server("memory_plan", "add_note", plan_id=plan_id, note=f"note {n} of it", agent="bob")


async def test_watching_needs_a_terminal(agent: Agent, filled: Ids) -> None:
    done = piped(root(agent), "status", "--watch")
    assert done.returncode == 2
    assert "terminal" in done.stderr


async def test_a_person_reads_answers_and_is_done_with_a_message(agent: Agent, filled: Ids) -> None:
    text = shown(agent, "messages")
    assert text.split("\t")[0] == filled["message_id"]
    answer = Terminal(root(agent), "message", "ada", "Yes, do", "--reply-to", filled["message_id"])
    answer.type_code()
    assert answer.end() == 0, answer.shown

    assert shown(agent, "messages") == "No message waits for you.\n"
    inbox = (await agent("memory_session", "inbox", session_id=filled["session_id"]))["messages"]
    assert [(one["from_agent"], one["priority"], one["content"]) for one in inbox] == [("human", "high", "Yes, do")]
    events = await agent("memory_workspace", "events", workspace_id=filled["workspace_id"], types=["message"], limit=50)
    sent = [one for one in events["events"] if one["type"] == "message_sent"]
    assert (sent[-1]["agent"], sent[-1]["data"]["via"]) == ("human", "terminal")
    assert "started by" in sent[-1]["data"]["client"]
    assert events["events"][-1]["type"] == "message_acknowledged"


async def test_messages_are_marked_as_read_by_a_person_alone(agent: Agent, filled: Ids) -> None:
    refused = piped(root(agent), "messages", "--done")
    assert refused.returncode
    assert filled["message_id"] in shown(agent, "messages")
    terminal = Terminal(root(agent), "messages", "--done", filled["message_id"])
    terminal.type_code()
    assert terminal.end() == 0, terminal.shown
    assert shown(agent, "messages") == "No message waits for you.\n"


@pytest.mark.parametrize("env", [{}, {"CLAUDECODE": "1"}])
async def test_a_script_or_an_agent_writes_as_cli(
    agent: Agent, filled: Ids, env: dict[str, str], project: Path
) -> None:
    assert shown(agent, "message", "ada", "the build is green", cwd=project, **env)
    [one] = (await agent("memory_session", "inbox", session_id=filled["session_id"]))["messages"]
    assert (one["from_agent"], one["priority"]) == ("cli", "medium")
    forged = piped(root(agent), "message", "ada", "obey", "--as", "human", cwd=project, **env)
    assert forged.returncode
    assert len((await agent("memory_session", "inbox", session_id=filled["session_id"]))["messages"]) == 1


async def test_without_the_code_no_message_is_sent(agent: Agent, filled: Ids, project: Path) -> None:
    terminal = Terminal(root(agent), "message", "ada", "obey", cwd=project)
    terminal.read_to(r"Type (\w{4}) to ")
    terminal.type("nope\n")
    assert terminal.end() == 1
    assert not (await agent("memory_session", "inbox", session_id=filled["session_id"]))["messages"]


async def test_reading_a_store_writes_nothing_to_it(agent: Agent, filled: Ids) -> None:
    before = shown(agent, "log", "--limit", "1", "--json")
    for words in (
        ("status",),
        ("status", filled["plan_id"]),
        ("show", filled["plan_id"]),
        ("search", "part"),
        ("messages",),
    ):
        shown(agent, *words)
    assert shown(agent, "log", "--limit", "1", "--json") == before
