"""Programs through the tool: nothing runs that nobody allowed, and what runs ends."""

import asyncio
import json
import os
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server import left_behind
from server.cli.person import sign_of_an_agent
from server.db.audit import events
from server.db.gates import approvals
from server.models.approvals import Word
from server.processes import KEPT_BYTES, MARKER
from server.protocol.app import build
from server.settings import Settings
from server.store import open_store
from server.tools.approvals import answers
from tests.conftest import Agent, ToolError

TERMINAL = "memory_terminal"
PYTHON = sys.executable
ANYTHING = [f"{PYTHON} *"]


async def answered(settings: Settings, approval_id: str, *, yes: bool = True) -> None:
    """Let a person answer, in a process of their own."""
    db = await open_store(settings)
    async with db.transaction() as tx:
        row = await approvals.require(tx, approval_id)
        await (answers.approve if yes else answers.reject)(tx, row, Word("terminal"))
        await events.flush(tx)
    await db.close()


@pytest.fixture
async def terminal(agent: Agent, workspace_id: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent in a project."""
    monkeypatch.chdir(project)
    assert workspace_id
    return agent


async def allow(agent: Agent, patterns: list[str]) -> None:
    assert agent.settings
    asked = await agent.fails(TERMINAL, "update_allowlist", patterns=patterns)
    await answered(agent.settings, asked["approval_id"])


async def python(caller: Agent, code: str, *args: str, **more: Any) -> dict[str, Any]:
    return await caller(TERMINAL, "run", command=PYTHON, args=["-c", code, *args], **more)


async def test_nothing_runs_before_a_human_allowed_this_very_vector_and_then_once(
    terminal: Agent, settings: Settings, project: Path
) -> None:
    call = {"command": f'{PYTHON} -c \'open("made", "a").write("x")\'', "agent": "Ada"}
    assert (await terminal(TERMINAL, "get_allowlist"))["patterns"] == []
    asked = await terminal.fails(TERMINAL, "run", **call)
    assert asked["code"] == "gated"
    assert not (project / "made").exists()
    waiting = (await terminal("memory_workspace", "approvals"))["approvals"]
    [row] = waiting
    assert str([PYTHON, "-c", 'open("made", "a").write("x")']) in row["what"]
    assert row["call"]["vector"] == [PYTHON, "-c", 'open("made", "a").write("x")']

    await answered(settings, asked["approval_id"])
    assert (await terminal.fails(TERMINAL, "run", **call | {"args": ["more"]}))["code"] == "gated"
    assert (await terminal.fails(TERMINAL, "run", **call | {"timeout_seconds": 61}))["code"] == "gated"
    done = await terminal(TERMINAL, "run", **call)

    assert (done["exit_code"], done["running"]) == (0, False)
    assert (project / "made").read_text(encoding="utf-8") == "x"
    assert (await terminal.fails(TERMINAL, "run", **call))["code"] == "gated"
    assert (project / "made").read_text(encoding="utf-8") == "x"


async def test_a_no_is_not_asked_again_soon(terminal: Agent, settings: Settings) -> None:
    asked = await terminal.fails(TERMINAL, "run", command="ls -l")
    await answered(settings, asked["approval_id"], yes=False)

    assert (await terminal.fails(TERMINAL, "run", command="ls -l"))["rejected"] is True


async def test_rules_need_a_human_to_be_added_and_nobody_to_be_taken_back(terminal: Agent, settings: Settings) -> None:
    asked = await terminal.fails(TERMINAL, "update_allowlist", patterns=["git status", "pytest *", "git status"])
    assert asked["code"] == "gated"
    assert (await terminal(TERMINAL, "get_allowlist"))["patterns"] == []
    await answered(settings, asked["approval_id"])
    same = await terminal(TERMINAL, "update_allowlist", patterns=["git status", "pytest *"])
    assert same["patterns"] == ["git status", "pytest *"]

    listed = (await terminal(TERMINAL, "get_allowlist"))["patterns"]
    assert [(rule["pattern"], rule["allowed_by"], rule["via"]) for rule in listed] == [
        ("git status", "human", "terminal"), ("pytest *", "human", "terminal"),
    ]  # fmt: skip
    assert (await terminal.fails(TERMINAL, "update_allowlist", patterns=["ls"], operation="set"))["code"] == "gated"
    left = await terminal(TERMINAL, "update_allowlist", patterns=["pytest *", "none"], operation="remove")
    assert (left["patterns"], left["removed"]) == (["git status"], ["pytest *"])
    await terminal(TERMINAL, "update_allowlist", patterns=["git status"], operation="set")
    for wrong in ("* x", "git * status", "gi* x", "'open", "git sta*"):
        error = await terminal.fails(TERMINAL, "update_allowlist", patterns=[wrong])
        assert (wrong, error["code"]) == (wrong, "invalid_arguments")


async def test_an_agent_cannot_pass_a_word_on_about_what_runs(terminal: Agent, settings: Settings) -> None:
    with sqlite3.connect(settings.database) as db:
        db.execute("INSERT INTO settings VALUES ('gates', 'relayed', 'human', 'terminal', NULL, '2030', '2030')")
    db.close()

    assert (await terminal.fails(TERMINAL, "run", command="ls", agent="Ada"))["code"] == "gated"
    assert (await terminal.fails(TERMINAL, "update_allowlist", patterns=["ls"], agent="Ada"))["code"] == "gated"


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ("ls", ["ls"], ["ls -l", "lsof", "LS", "/bin/ls", "ls .", "ls ''"]),
        ("ls -l", ["ls -l"], ["ls", "ls -la", "ls -l .", "ls  -- -l"]),
        ("ls *", ["ls", "ls -l .", "ls '*'"], ["lsof", "dir"]),
        ("git log *", [], ["git", "git logx", "git --no-pager log", "git diff"]),
    ],
)
async def test_a_rule_allows_whole_vectors(terminal: Agent, rule: str, allowed: list[str], refused: list[str]) -> None:
    await allow(terminal, [rule])
    for command in allowed:
        assert "exit_code" in await terminal(TERMINAL, "run", command=command)
    for command in refused:
        error = await terminal.fails(TERMINAL, "run", command=command)
        assert (command, error["code"] in ("gated", "not_found")) == (command, True)


async def test_no_shell_sees_the_words(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    words = ["a b", "$HOME", "`id`", "; touch x", "| cat", "> y", "*", "'\"", "", "-n", "ä"]

    done = await python(terminal, code, *words)

    assert json.loads(done["stdout"]) == words
    assert list(project.glob("[xy]")) == []
    for command in ("", "   ", "'open", "a\0b"):
        assert (await terminal.fails(TERMINAL, "run", command=command))["code"] == "invalid_arguments"
    assert (await terminal.fails(TERMINAL, "run", command="no-such-program-here"))["code"] == "not_found"


async def test_it_runs_in_the_project_and_in_no_other_folder(terminal: Agent, project: Path, tmp_path: Path) -> None:
    await allow(terminal, ANYTHING)
    (project / "sub").mkdir()
    (project / "out").symlink_to(tmp_path)
    code = "import os; print(os.getcwd())"

    assert (await python(terminal, code, cwd="sub"))["stdout"] == f"{project / 'sub'}\n"
    for cwd in ("..", "out", str(tmp_path), "/", "/proc/self/root"):
        error = await terminal.fails(TERMINAL, "run", command=f"{PYTHON} -V", cwd=cwd)
        assert (cwd, error["code"]) == (cwd, "not_allowed")
    assert (await terminal.fails(TERMINAL, "run", command=f"{PYTHON} -V", cwd="none"))["code"] == "not_found"


async def test_it_gets_a_short_environment_without_secrets(
    terminal: Agent, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bin").mkdir()
    for name in ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "LC_SECRET", "PYTHONPATH", "LD_PRELOAD_X"):
        monkeypatch.setenv(name, "leak")
    monkeypatch.setenv("PATH", os.pathsep.join((str(project / "bin"), "", ".", os.environ["PATH"])))
    await allow(terminal, ANYTHING)

    found = json.loads((await python(terminal, "import os, json; print(json.dumps(dict(os.environ)))"))["stdout"])

    assert "leak" not in found.values()
    assert found[MARKER] == "1"
    assert sign_of_an_agent(found)  # so it cannot answer as a person
    assert not {str(project / "bin"), "", "."} & set(found["PATH"].split(os.pathsep))
    assert len(found) <= 15


async def test_a_program_of_the_project_is_not_found_by_a_bare_name(
    terminal: Agent, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bin").mkdir()
    (project / "bin/mytool").write_text("#!/bin/sh\necho mine\n", encoding="utf-8")
    (project / "bin/mytool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}")

    assert (await terminal.fails(TERMINAL, "run", command="mytool"))["code"] == "not_found"
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mytool").symlink_to(project / "bin/mytool")
    monkeypatch.setenv("PATH", f"{tmp_path / 'own'}{os.pathsep}{os.environ['PATH']}")
    assert (await terminal.fails(TERMINAL, "run", command="mytool"))["code"] == "not_found"
    asked = await terminal.fails(TERMINAL, "run", command="bin/mytool")
    assert asked["code"] == "gated"
    assert str(project / "bin/mytool") in asked["message"]


async def test_how_it_ended_is_told_and_stored(terminal: Agent, workspace_id: str, settings: Settings) -> None:
    await allow(terminal, ANYTHING)
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"

    done = await python(terminal, code, agent="Ada")

    assert (done["stdout"], done["stderr"], done["exit_code"], done["running"]) == ("out\n", "err\n", 3, False)
    assert (done["stdout_bytes"], done["stderr_bytes"]) == (4, 4)
    again = await terminal(TERMINAL, "read_output", run_id=done["run_id"])
    assert (again["stdout"], again["stderr"], again["exit_code"]) == ("out\n", "err\n", 3)
    assert (await terminal(TERMINAL, "kill", run_id=done["run_id"]))["killed"] is False
    with sqlite3.connect(settings.database) as db:
        db.row_factory = sqlite3.Row
        [row] = [dict(row) for row in db.execute("SELECT * FROM runs")]
    db.close()
    assert (row["status"], row["exit_code"], row["agent"], row["stdout_bytes"]) == ("failed", 3, "Ada", 4)
    assert row["allowed_by"] == f"rule {PYTHON} *"
    assert json.loads(row["arguments"])["vector"] == [PYTHON, "-c", code]
    logged = await terminal("memory_workspace", "events", types=["run"], workspace_id=workspace_id)
    assert [event["type"] for event in logged["events"]] == ["run_started", "run_finished"]
    for action in ("read_output", "kill"):
        assert (await terminal.fails(TERMINAL, action, run_id="run_none"))["code"] == "not_found"


async def test_what_is_kept_of_a_run_names_no_secret(
    terminal: Agent, project: Path, workspace_id: str, settings: Settings
) -> None:
    await allow(terminal, ANYTHING)
    code = "import sys; open('given', 'w').write(sys.argv[2])"
    await python(terminal, code, "--password", "hunter2hunter2")
    assert (project / "given").read_text(encoding="utf-8") == "hunter2hunter2"
    runs = await terminal("memory_ledger", "list_runs", workspace_id=workspace_id)
    assert "hunter2" not in json.dumps(runs)
    told = await terminal("memory_workspace", "events", workspace_id=workspace_id, types=["run_started"])
    assert "--password" in json.dumps(told)
    assert "hunter2" not in json.dumps(told)
    asked = await terminal.fails(TERMINAL, "run", command="/bin/sh", args=["-c", "x --password hunter2hunter2"])
    await answered(settings, asked["approval_id"], yes=False)
    with sqlite3.connect(settings.database) as db:
        for column in ("runs WHERE instr(arguments", "event_log WHERE instr(data", "update_log WHERE instr(summary"):
            assert db.execute(f"SELECT count(*) FROM {column}, 'hunter2')").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM update_log WHERE instr(summary, 'Run /bin/sh')").fetchone() == (2,)


async def test_the_same_request_runs_once(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)
    call = {"agent": "Ada", "request_id": "one"}

    first = await python(terminal, "print(open('made', 'a').write('x'))", **call)
    again = await python(terminal, "print(open('made', 'a').write('x'))", **call)

    assert (again["run_id"], again["stdout"]) == (first["run_id"], first["stdout"])
    assert (project / "made").read_text(encoding="utf-8") == "x"


async def test_long_output_keeps_its_end_and_tells_how_much_there_was(terminal: Agent) -> None:
    await allow(terminal, ANYTHING)
    done = await python(terminal, "for n in range(100_000): print(n)")
    total = sum(len(f"{n}\n") for n in range(100_000))

    assert done["stdout"].endswith("\n99999\n")
    assert (done["stdout_bytes"], done["next_stdout"]) == (total, total)
    text, offset = "", 0
    while offset < total:
        part = await terminal(TERMINAL, "read_output", run_id=done["run_id"], stdout_from=offset)
        start = part.get("stdout_from", offset)
        assert text == "" or start == offset
        text, offset = text + part["stdout"], part["next_stdout"]
    assert len(text) == KEPT_BYTES
    assert text.endswith("\n99998\n99999\n")


async def test_a_timeout_ends_the_whole_group_even_what_ignores_being_asked(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)
    began = time.monotonic()

    done = await python(terminal, STUBBORN, timeout_seconds=1)

    assert (done["running"], done["ended_by"]) == (False, "timeout")
    assert time.monotonic() - began < 30
    assert await all_gone(project)


async def test_a_program_in_the_background_is_read_and_ended(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)

    begun = await python(terminal, STUBBORN, background=True, timeout_seconds=60)
    await all_there(project)
    seen = await terminal(TERMINAL, "read_output", run_id=begun["run_id"])
    ended = await terminal(TERMINAL, "kill", run_id=begun["run_id"])

    assert (begun["running"], seen["running"], seen["stdout"]) == (True, True, "ready\n")
    assert (ended["killed"], ended["running"], ended["ended_by"]) == (True, False, "killed")
    assert await all_gone(project)


async def test_what_a_program_leaves_behind_in_its_group_ends_with_it(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)
    code = (
        "import subprocess, sys, os; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open(f'pid-{p.pid}', 'w'); print('done')"
    )
    done = await python(terminal, code, timeout_seconds=50)

    assert (done["exit_code"], done["stdout"]) == (0, "done\n")
    assert await all_gone(project)


async def test_who_gives_up_the_call_gives_up_the_program(terminal: Agent, project: Path) -> None:
    await allow(terminal, ANYTHING)
    task = asyncio.create_task(python(terminal, STUBBORN, timeout_seconds=60))
    await all_there(project)
    task.cancel()
    await asyncio.wait({task})

    assert await all_gone(project)


async def test_progress_is_told_while_it_runs(terminal: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    await allow(terminal, ANYTHING)
    monkeypatch.setattr("server.tools.running.execution.TELL_SECONDS", 0.1)
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    arguments = {"action": "run", "command": PYTHON, "args": ["-c", "import time; time.sleep(1)"]}
    await terminal.client.call_tool(TERMINAL, arguments, progress_callback=hear)

    assert len(told) >= 2
    assert [reached for reached, _, _ in told] == sorted(reached for reached, _, _ in told)
    assert told[0][2] == "0 bytes of output"


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    open(f"pid-{os.getpid()}", "w").close()
note()
child = "import os, signal, subprocess, sys, time\\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
child += "open(f'pid-{os.getpid()}', 'w').close()\\n"
grandchild = child + "time.sleep(120)"
child += f"subprocess.Popen([sys.executable, '-c', {grandchild!r}])\\ntime.sleep(120)"
subprocess.Popen([sys.executable, "-c", child])
print("ready", flush=True)
time.sleep(120)
"""


def pids(project: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in project.glob("pid-*")]


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


async def all_there(project: Path, count: int = 3) -> None:
    """Wait until the program, its child and its grandchild have noted their numbers."""
    for _ in range(1500):
        if len(pids(project)) >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("they never began")


async def all_gone(project: Path) -> bool:
    """Return whether everything that noted its number ends, in a while."""
    found = pids(project)
    assert found
    for _ in range(500):
        if not any(map(is_alive, found)):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_link_that_takes_the_place_of_the_folder_leads_no_program_out(
    terminal: Agent, project: Path, tmp_path: Path
) -> None:
    """The folder is entered through its descriptor, so what has its name by then does not matter."""
    await allow(terminal, ANYTHING)
    (project / "sub").mkdir()
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (project / "sub").rename(project / "kept")
            (project / "sub").symlink_to(tmp_path)
            (project / "sub").unlink()
            (project / "kept").rename(project / "sub")

    thread = threading.Thread(target=swap)
    thread.start()
    told: list[str] = []
    try:
        for _ in range(20):
            with suppress(ToolError):
                call = {"command": PYTHON, "args": ["-c", "import os; print(os.getcwd())"], "cwd": "sub"}
                told.append((await Agent(terminal.client)(TERMINAL, "run", **call)).get("stdout", ""))
    finally:
        done.set()
        thread.join()

    assert {text.strip() for text in told} <= {"", str(project / "sub"), str(project / "kept")}


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


async def test_a_rule_of_a_relative_program_means_the_one_in_the_project_folder(terminal: Agent, project: Path) -> None:
    script(project / "bin/go", "echo ours")
    script(project / "sub/bin/go", "echo theirs")
    await allow(terminal, ["bin/go *"])

    assert (await terminal(TERMINAL, "run", command="bin/go"))["stdout"] == "ours\n"
    for call in ({"command": "bin/go", "cwd": "sub"}, {"command": "sub/bin/go"}, {"command": "./bin/go"}):
        assert (call, (await terminal.fails(TERMINAL, "run", **call))["code"]) == (call, "gated")


async def test_a_yes_is_for_the_program_as_it_was_asked_about(
    terminal: Agent, settings: Settings, project: Path
) -> None:
    script(project / "bin/go", "echo harmless")
    asked = await terminal.fails(TERMINAL, "run", command="bin/go")
    await answered(settings, asked["approval_id"])
    await terminal("memory_filesystem", "write", path="bin/go", content="#!/bin/sh\necho other\n")

    again = await terminal.fails(TERMINAL, "run", command="bin/go")

    assert (again["code"], again["approval_id"] != asked["approval_id"]) == ("gated", True)
    await answered(settings, again["approval_id"])
    assert (await terminal(TERMINAL, "run", command="bin/go"))["stdout"] == "other\n"


@pytest.mark.skipif(sys.platform == "win32", reason="links that anybody may make")
async def test_a_yes_is_for_the_file_behind_a_link(terminal: Agent, settings: Settings, project: Path) -> None:
    (project / "tool").symlink_to("/bin/echo")
    asked = await terminal.fails(TERMINAL, "run", command="./tool hello")
    await answered(settings, asked["approval_id"])
    (project / "tool").unlink()
    (project / "tool").symlink_to("/bin/ls")

    assert "a link to" in asked["message"]
    assert (await terminal.fails(TERMINAL, "run", command="./tool hello"))["code"] == "gated"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
async def test_files_that_make_a_folder_a_repository_make_git_run_nothing(terminal: Agent, project: Path) -> None:
    """A bare repository is only files, none of them in .git, and its configuration may name a program."""
    script(project / "evil.sh", "touch ran")
    for path, text in {
        "trap/HEAD": "ref: refs/heads/main\n",
        "trap/config": f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = {project}/trap\n"
        f"\tfsmonitor = {project}/evil.sh\n",
        "trap/objects/keep": "",
        "trap/refs/keep": "",
    }.items():
        await terminal("memory_filesystem", "write", path=path, content=text)
    await allow(terminal, ["git status"])

    await terminal(TERMINAL, "run", command="git status", cwd="trap")

    assert not list(project.rglob("ran"))


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        out = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(out, stream)
        open(f"pid-{os.getpid()}", "w").close()
        time.sleep(120)
    os._exit(0)
while not any(name.startswith("pid-") for name in os.listdir(".")):
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(float(sys.argv[1]))
"""
needs_proc = pytest.mark.skipif(not left_behind.CAN_TELL, reason="the system tells nothing of other processes")


@needs_proc
@pytest.mark.parametrize("how", ["timeout", "kill"])
async def test_a_daemon_that_left_the_group_ends_with_it(terminal: Agent, project: Path, how: str) -> None:
    await allow(terminal, ANYTHING)
    background = how == "kill"
    begun = await python(terminal, DAEMON, "60", timeout_seconds=60 if background else 2, background=background)
    if background:
        await all_there(project, 1)
        await terminal(TERMINAL, "kill", run_id=begun["run_id"])

    assert await all_gone(project)


@needs_proc
async def test_a_daemon_stays_when_its_program_is_over_and_ends_with_the_server(
    settings: Settings, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    async with Client(build(settings), raise_exceptions=True) as client:
        caller = Agent(client, settings)
        await caller("memory_workspace", "register", workspace_path=str(project))
        await allow(caller, ANYTHING)
        done = await python(caller, DAEMON, "0", timeout_seconds=60)
        assert (done["exit_code"], [is_alive(pid) for pid in pids(project)]) == (0, [True])

    assert await all_gone(project)


async def test_more_rules_than_anybody_reads_are_not_proposed(terminal: Agent) -> None:
    await allow(terminal, [f"echo {number}" for number in range(100)])
    await allow(terminal, [f"ls {number}" for number in range(100)])

    assert (await terminal.fails(TERMINAL, "update_allowlist", patterns=["pwd"]))["code"] == "conflict"
