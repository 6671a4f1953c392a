"""The demo, on plans of every kind."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client
from rich.console import Console

from server.cli import demo
from server.cli.demo import Work
from server.cli.setup.launching import LaunchCommand
from server.protocol.app import build
from server.settings import PACKAGE, Settings
from tests.conftest import Agent
from tests.e2e import commands

PLANS = {
    "nothing is open": "# T\n## One\n- [x] a\n- [x] b\n",
    "a step a phase": "# T\n## One\n- [x] a\n- [ ] b\n## Two\n1. [ ] c\n## Two\n* [ ] d\n",
    "markup in it": "- [ ] above\n# [bold]T[/]\n## [red]\n- [ ] [link=x] \N{HIGH VOLTAGE SIGN} `[/]`\n- [ ] \\[x]\n",
}


def play(
    tmp_path: Path, *words: str, program: Sequence[str] = (sys.executable, "-m", "server")
) -> subprocess.CompletedProcess[str]:
    """Run the demo with temporary files and user data in folders of their own."""
    (tmp_path / "tmp").mkdir()
    folders = {"TMPDIR": str(tmp_path / "tmp"), "XDG_DATA_HOME": str(tmp_path / "user"), "PM_READ_ONLY": "1"}
    return subprocess.run(
        [*program, "demo", *words],
        cwd=PACKAGE.parent,
        env={**os.environ, **folders},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_the_demo_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = play(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "All as expected" in done.stdout
    assert done.stdout.count("offers memory_agent") == 2, "two servers were started"
    assert done.stdout.rstrip().endswith(" setup")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "user").exists()


@pytest.mark.parametrize("text", PLANS.values(), ids=PLANS)
def test_the_demo_passes_on_any_plan(tmp_path: Path, text: str) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text(text, encoding="utf-8")

    done = play(tmp_path, str(plan), program=commands.program())

    assert (done.returncode, done.stderr) == (0, "")
    assert "All as expected" in done.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"# Only text\n", "has no step"), (b"\xff\xfe-\x00", "is no UTF-8 text"), (None, "cannot be read")],
    ids=["no checkbox", "not UTF-8", "missing"],
)
def test_a_file_that_is_no_plan_is_told_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    plan = tmp_path / "plan.md"
    if content is not None:
        plan.write_bytes(content)

    done = play(tmp_path, str(plan), program=commands.program())

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_keep_leaves_the_database_and_the_project(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    assert play(tmp_path, "--keep", str(kept), program=commands.program()).returncode == 0

    assert (kept / "project" / ".projectmemory" / "identity.json").is_file()
    with sqlite3.connect(kept / "data" / "project-memory.db") as db:
        assert db.execute("SELECT count(*) FROM plans").fetchone() == (1,)
    db.close()


def test_keep_takes_no_folder_that_is_in_use(tmp_path: Path) -> None:
    done = play(tmp_path, "--keep", str(tmp_path), program=commands.program())

    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_a_server_that_does_not_start_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = LaunchCommand(sys.executable, ["-c", "raise SystemExit('out of order')"])
    monkeypatch.setattr(demo, "launch", lambda: broken)

    assert demo.run(None, None, {}) == 1

    said = capsys.readouterr().out
    assert "The demo failed" in said
    assert "out of order" in said


@pytest_asyncio.fixture
async def player(agent: Agent, tmp_path: Path) -> AsyncGenerator[demo.Agent]:
    """The demo's agent, on a server in this process."""
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        yield demo.Agent(demo.Demo(Console(quiet=True), LaunchCommand("", []), tmp_path, {}, log), agent.client, 0)


async def test_a_step_that_needs_a_persons_word_gets_it(
    player: demo.Agent, agent: Agent, settings: Settings, workspace_id: str
) -> None:
    steps: list[dict[str, Any]] = [{"phase": "P", "task": "ask", "type": "confirmation"}, {"phase": "P", "task": "go"}]
    plan = await agent("memory_plan", "create", title="T", workspace_id=workspace_id, steps=steps)
    session = await agent("memory_agent", "init", agent="executor", plan_id=plan["plan_id"])
    work = Work(plan["plan_id"], 0, 2, [], session_id=session["session_id"], phase="P")

    async with Client(build(settings), elicitation_callback=player.demo.asked) as client:
        player.client = client
        await demo._next(player, work)
        await demo._work(player, work, 2)

    assert len(work.finished) == 2
    assert (await agent("memory_plan", "get", plan_id=plan["plan_id"]))["steps_done"] == 2


async def test_an_answer_that_breaks_a_promise_is_a_surprise(
    player: demo.Agent, agent: Agent, workspace_id: str
) -> None:
    steps = [{"phase": "P", "task": "one"}, {"phase": "P", "task": "two"}]
    plan = await agent("memory_plan", "create", title="T", workspace_id=workspace_id, steps=steps)
    session = await agent("memory_agent", "init", agent="executor", plan_id=plan["plan_id"])
    work = Work(plan["plan_id"], 1, 2, [], session_id=session["session_id"])

    with pytest.raises(demo.Surprise, match="2 steps remain, not 1"):
        await demo._next(player, work)
