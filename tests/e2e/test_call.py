"""`project-memory call`: any action of the catalog from a terminal, as processes, pipes and terminals."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.tools import CORE, FURTHER, TOOLS
from tests.conftest import Agent
from tests.e2e.conftest import ROOT
from tests.e2e.terminals import SECONDS, Terminal, piped
from tests.e2e.test_person_at_a_terminal import plan_of


@pytest.fixture
def root(agent: Agent) -> Path:
    assert agent.settings
    return agent.settings.data_root


def call(root: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return piped(root, "call", *words, **options)


def answer(root: Path, *words: str, **options: Any) -> dict[str, Any]:
    done = call(root, *words, "--json", **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def refused(code: int, root: Path, *words: str, **options: Any) -> str:
    """Make a call that fails, and return what says why: a line, and below it what that names."""
    done = call(root, *words, **options)
    assert (done.returncode, done.stdout) == (code, ""), done
    first, *rest = done.stderr.splitlines()
    assert first.startswith("project-memory: ")
    assert all(line.startswith("  ") for line in rest)
    return done.stderr


async def test_a_plan_is_made_read_and_worked_off_from_a_shell(
    root: Path, agent: Agent, workspace_id: str, project: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# Long = longer\n\n@all\n", encoding="utf-8")
    steps = '[{"task": "First", "phase": "Build"}, {"task": "Second", "phase": "Build"}]'
    made = answer(root, "plan", "create", "title=a = b", "category=bugfix", f"steps={steps}", cwd=project)
    plan_id = made["plan_id"]
    assert (await agent("memory_plan", "get", plan_id=plan_id))["title"] == "a = b"

    answer(root, "memory_plan", "add_note", f"plan_id={plan_id}", f"note=@{notes}")
    answer(root, "plan", "add_note", f"plan_id={plan_id}", "note=@@ada wants -1 = minus one")
    answer(root, "plan", "add_note", f"plan_id={plan_id}", "note=-", text="from a pipe")
    told = (await agent("memory_plan", "list_notes", plan_id=plan_id))["notes"]
    assert {note["note"] for note in told} == {
        "# Long = longer\n\n@all\n", "@ada wants -1 = minus one", "from a pipe"
    }  # fmt: skip
    assert {note["added_by"] for note in told} == {"cli"}

    held = answer(root, "steps", "next", "plan_id=-", text=f"{plan_id}\n")["next"]
    done = answer(root, "steps", "next", f"plan_id={plan_id}", f"step_id={held['step_id']}")
    assert done["completed"]["status"] == "done"
    order = answer(root, "steps", "set_order", f"plan_id={plan_id}", "new_order=1", "new_order=0")
    assert order["plan_id"] == plan_id


async def test_an_answer_is_exact_with_json_and_readable_without(root: Path, agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await plan_of(agent, workspace_id)
    exact = (await agent.client.call_tool("memory_plan", {"action": "get", "plan_id": plan_id})).content[0]
    assert call(root, "plan", "get", f"plan_id={plan_id}", "--json").stdout == f"{exact.text}\n"  # type: ignore[union-attr]

    shown = call(root, "steps", "list", f"plan_id={plan_id}").stdout
    assert "steps:\n  - step_id: " in shown.replace("\r", "")
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "\\u{1b}]0;x\\u{7}it on\\u{202e}" in shown


async def test_an_error_answer_and_a_misuse_are_told_apart(root: Path, workspace_id: str) -> None:
    assert "plan_none" in refused(1, root, "plan", "get", "plan_id=plan_none")
    done = call(root, "plan", "get", "plan_id=plan_none", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "not_found")

    assert "Did you mean 'steps'" in refused(2, root, "step", "list")
    assert "Did you mean 'list'" in refused(2, root, "steps", "lst")
    assert "call --list memory_steps" in refused(2, root, "memory_steps")
    assert "did you mean 'plan_id'" in refused(2, root, "steps", "list", "planid=x")
    assert "`project-memory call steps list --help`" in refused(2, root, "steps", "list", "planid=x")
    assert "plan_id=VALUE" in refused(2, root, "steps", "list", "--plan-id", "x")
    assert "name=value" in refused(2, root, "steps", "list", "plan_1")
    assert "a whole number" in refused(2, root, "steps", "list", "plan_id=x", "limit=many")
    assert "at least 1" in refused(2, root, "steps", "list", "plan_id=x", "limit=-1")
    assert "true or false" in refused(2, root, "plan", "archive", "plan_id=x", "force=perhaps")
    assert "stands for a person" in refused(2, root, "plan", "add_note", "plan_id=x", "note=x", "agent=human")
    assert "leave out action=" in refused(2, root, "plan", "get", "action=delete", "plan_id=x")
    assert "call --list" in refused(2, root)
    assert "read-only" in refused(1, root, "plan", "add_note", "plan_id=x", "note=x", "--read-only")


async def test_what_would_remove_something_is_shown_first(root: Path, agent: Agent, workspace_id: str) -> None:
    plan_id = (await agent("memory_plan", "create", title="Old", category="bugfix", workspace_id=workspace_id))[
        "plan_id"
    ]
    done = call(root, "plan", "delete", f"plan_id={plan_id}")
    said = re.search(r"Nothing was changed yet. To do it: .* (call plan delete .*confirm=true)", done.stdout)
    assert said, done.stdout
    assert (await agent("memory_plan", "get", plan_id=plan_id))["title"] == "Old"
    words = said[1].split()[1:]
    assert call(root, *words).returncode == 0
    assert (await agent.fails("memory_plan", "get", plan_id=plan_id))["code"] == "not_found"


async def test_a_long_list_says_how_to_go_on(root: Path, agent: Agent, workspace_id: str) -> None:
    steps = [{"task": f"Step {number}"} for number in range(5)]
    made = await agent("memory_plan", "create", title="Five", category="bugfix", workspace_id=workspace_id, steps=steps)
    words, seen = ["steps", "list", f"plan_id={made['plan_id']}", "limit=2"], 0
    while words:
        done = call(root, *words)
        seen += done.stdout.count("- step_id: ")
        found = re.search(r"There is more: .* call (.*?)( --data-root.*)?$", done.stdout, re.MULTILINE)
        words = found[1].split() if found else []
    assert seen == 5


async def test_the_workspace_is_that_of_the_current_folder(
    root: Path, workspace_id: str, project: Path, tmp_path: Path
) -> None:
    (project / "inner").mkdir()
    assert answer(root, "workspace", "info", cwd=project / "inner")["workspace_id"] == workspace_id
    assert answer(root, "workspace", "info", "workspace_path=../project", cwd=project)["workspace_id"] == workspace_id
    assert workspace_id in refused(1, root, "workspace", "info", cwd=tmp_path)


async def test_what_needs_a_person_asks_in_the_terminal_and_goes_on(
    root: Path, agent: Agent, workspace_id: str
) -> None:
    plan_id, _ = await plan_of(agent, workspace_id)
    words = ("call", "steps", "update", f"plan_id={plan_id}", "step_index=0", "status=done")

    in_a_pipe = piped(root, *words, text="AAAA\n")
    assert (in_a_pipe.returncode, "Type " in in_a_pipe.stdout) == (1, False)
    assert "confirm" in in_a_pipe.stderr
    under_an_agent = Terminal(root, *words, env={"CLAUDECODE": "1"})
    assert under_an_agent.end() == 1
    assert "Type " not in under_an_agent.shown

    wrong = Terminal(root, *words)
    wrong.read_to(r"Type (\w{4}) to ")
    wrong.type("yes\n")
    assert wrong.end() == 1
    assert (await agent("memory_plan", "get", plan_id=plan_id))["steps_done"] == 0

    right = Terminal(root, *words)
    right.type_code()
    assert right.end() == 0, right.shown
    assert not {"\x1b]", "\x07", "\u202e"} & {right.shown[i : i + n] for i in range(len(right.shown)) for n in (1, 2)}
    step = await agent("memory_steps", "get", plan_id=plan_id, step_index=0)
    assert (step["status"], step["confirmed_by"], step["confirmed_via"]) == ("done", "human", "terminal")


async def test_ctrl_c_at_the_question_ends_the_command(root: Path, agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await plan_of(agent, workspace_id)
    asked = Terminal(root, "call", "steps", "update", f"plan_id={plan_id}", "step_index=0", "status=done")
    asked.read_to(r"Type (\w{4}) to ")
    asked.type("\x03")
    assert asked.end() == 130, asked.shown
    assert "Traceback" not in asked.shown


def test_the_catalog_is_listed_and_explained(root: Path, workspace_id: str) -> None:
    tools = call(root, "--list").stdout
    assert {name.removeprefix("memory_") for name in TOOLS} <= set(tools.split())
    for words in (("--list", "memory_steps"), ("steps", "--help")):
        assert set(TOOLS["memory_steps"].actions) <= set(call(root, *words).stdout.split())
    page = call(root, "steps", "next", "--help").stdout
    assert set(TOOLS["memory_steps"].actions["next"].params) <= {word.rstrip("*") for word in page.split()}
    assert page == call(root, "memory_steps", "next", "--help", "plan_id=x").stdout
    assert "Exit code" in call(root, "--help").stdout
    assert "Did you mean 'next'" in refused(2, root, "steps", "nxt", "--help")


def test_every_example_of_the_catalog_is_a_command_line_that_means_it() -> None:
    import shlex

    from server.cli.calling.call import understood
    from server.cli.calling.listing import example
    from server.settings import Settings

    chosen, told = Settings(data_root=Path("/nowhere")), 0
    for tool in TOOLS.values():
        for action in tool.actions.values():
            words = shlex.split(example(action))[2:]
            meant = understood(words, chosen)
            given = {name: value for name, value in meant.arguments.items() if name in action.example}
            assert given == action.example, words
            told += 1
    assert told > 100


def test_a_call_imports_neither_the_sdk_nor_the_drawing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "server", "--data-root", str(tmp_path), "call", "plan", "help"],
        check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=SECONDS,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "server.calls" in imported
    assert {name for name in imported if name.split(".")[0] in ("mcp", "mcp_types", "rich")} == set()
    assert imported & {f"server.tools.{name}.tool" for name in (*CORE, *FURTHER)} == {"server.tools.plan.tool"}
