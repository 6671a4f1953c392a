"""`serve` as a process: one for a data root, in the foreground and in the background, and its end."""

import json
import os
import plistlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import anyio
import httpx2
import pytest

from server.cli import run as cli
from server.cli.serving import login_start, running
from server.errors import InvalidArguments, ProjectMemoryError
from server.models.approvals import Word
from server.settings import Settings
from server.store import open_store
from server.web.access import add_token
from tests.e2e.terminals import Terminal, environment

SECONDS = 60
COMMAND = [sys.executable, "-I", "-m", "server"]

IN_PROCESS = ("status", "stop", "token", "open")  # what starts no other process, which takes most of a second


@dataclass(frozen=True)
class Done:
    """What a command of ours did."""

    returncode: int
    stdout: str
    stderr: str = ""


Serve = Callable[..., Done]


@pytest.fixture
def serve(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Serve:
    """Runs `serve` with a command."""

    def command(*words: str) -> Done:
        if words[0] not in IN_PROCESS:
            done = run(settings, "serve", *words)
            return Done(done.returncode, done.stdout, done.stderr)
        capsys.readouterr()
        try:
            cli(["serve", *words], {"data_root": str(settings.data_root)})
        except SystemExit as ended:
            return Done(int(ended.code or 0), capsys.readouterr().out)
        except ProjectMemoryError as error:
            return Done(error.exit_code, capsys.readouterr().out, str(error))
        raise AssertionError("a command ends with an exit code")

    return command


def run(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--data-root", str(settings.data_root), *words]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture
def background(settings: Settings, serve: Serve) -> Generator[Settings]:
    """A data root that is served in the background, on a port of its own."""
    done = serve("start", "--port", "0")
    assert done.returncode == 0, done.stderr
    yield settings
    serve("stop")


def token_of(settings: Settings) -> str:
    async def add() -> str:
        db = await open_store(settings)
        try:
            return await add_token(db, "tester", "agent", Word("terminal"))
        finally:
            await db.close()

    return anyio.run(add)


def test_a_server_in_the_background_is_found_and_ended_by_its_answer(background: Settings, serve: Serve) -> None:
    status = serve("status", "--json")
    told = json.loads(status.stdout)
    again = serve("start")
    health = httpx2.get(f"{told['url']}/health").json()
    mode = (background.data_root / "serve" / running.RUNNING).stat().st_mode & 0o777
    stopped = serve("stop")
    after = serve("status")

    assert (status.returncode, told["state"]) == (0, "running")
    assert "nonce" not in told
    assert health["version"] == told["version"]
    assert again.returncode == 1
    assert "served already" in again.stderr
    assert mode == 0o600
    assert stopped.stdout == "Stopped.\n"
    assert after.returncode == 3


def test_a_restart_is_another_process_with_the_options_of_the_last(background: Settings, serve: Serve) -> None:
    first = running.read(background)
    assert first
    restarted = serve("restart")
    second = running.read(background)

    assert restarted.returncode == 0, restarted.stderr
    assert second
    assert second.pid != first.pid
    assert second.options == first.options == ["--port", "0"]


def test_after_a_crash_the_next_start_says_so(background: Settings, serve: Serve) -> None:
    found = running.read(background)
    assert found
    os.kill(found.pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while running.is_locked(background):
        assert time.monotonic() < deadline
    status = serve("status")
    started = serve("start", "--port", "0")

    assert status.returncode == 3
    assert "left without signing off" in status.stdout
    assert f"pid {found.pid}" in started.stdout
    assert started.returncode == 0


def test_what_does_not_answer_as_ours_is_never_ended(background: Settings, serve: Serve) -> None:
    found = running.read(background)
    assert found
    running.write(background, replace(found, nonce="of another"))
    refused = serve("stop")
    status = serve("status")
    running.write(background, found)

    assert refused.returncode == 1
    assert "was not ended" in refused.stderr
    assert status.returncode == 4
    assert running.answers(found)


def test_a_start_that_fails_says_why(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failed = serve("start", "--port", str(taken.getsockname()[1]))
    strange = serve("start", "--no-such-option")
    public = serve("start", "--address", "0.0.0.0")

    assert failed.returncode == strange.returncode == public.returncode == 1
    assert "is taken by another program" in failed.stderr
    assert "--no-such-option" in strange.stderr
    assert "--tls-cert" in public.stderr


def test_a_port_is_kept_and_one_that_is_taken_is_told_with_who_has_it(
    settings: Settings, serve: Serve, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = serve("start", "--port", str(port))
    serve("stop")
    second = serve("start")
    found = running.read(settings)
    other = run(Settings(data_root=tmp_path / "other"), "serve", "--port", str(port))
    serve("stop")

    assert first.returncode == second.returncode == 0
    assert found
    assert found.port == port
    assert other.returncode == 1
    assert "is taken by Project Memory" in other.stderr
    assert sys.platform != "linux" or str(found.pid) in other.stderr


def test_sigterm_ends_it_with_streams_open_and_loses_nothing(settings: Settings, project: Path) -> None:
    token = token_of(settings)
    process = subprocess.Popen(
        [*COMMAND, "--data-root", str(settings.data_root), "serve", "--port", "0"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    url = re.findall(r"http://\S+?(?=/mcp)", process.stdout.readline() + process.stdout.readline())[0]
    headers = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=SECONDS) as http:
        call = "/api/tools/memory_workspace/register"
        stored = http.post(call, json={"workspace_path": str(project)}).json()["workspace_id"]
        with http.stream("GET", "/events") as stream:
            assert stream.status_code == 200
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(SECONDS)
            took = time.monotonic() - start
    said = process.communicate()[1]
    listed = run(settings, "call", "memory_workspace", "list")

    assert code == 0
    assert took < 30  # it is two seconds; how long it takes on a busy machine says nothing
    assert "Traceback" not in said
    assert stored in listed.stdout


def test_an_agent_gets_no_link_and_a_person_does(settings: Settings, serve: Serve) -> None:
    process = Terminal(settings.data_root, "serve", "--port", "0")
    link = process.read_to(r"(http://pm-\w+\.localhost:\d+/enter\?code=\S+)")[1]
    found = running.read(settings)
    opened = serve("open")
    assert found
    os.kill(found.pid, signal.SIGTERM)
    process.end()

    assert link.startswith(found.home)
    assert opened.returncode == 1
    assert "Only a person" in opened.stderr


def test_a_token_takes_a_person_who_types_the_code(settings: Settings, serve: Serve) -> None:
    refused = serve("token", "add", "ci", "--role", "agent")
    terminal = Terminal(settings.data_root, "serve", "token", "add", "ci", "--role", "reader")
    terminal.type_code()
    secret = terminal.read_to(r"(pmt_[\w-]{40,})")[1]
    terminal.end()
    listed = serve("token", "list")
    revoked = serve("token", "revoke", "ci")
    unknown = serve("token", "revoke", "ci")

    assert refused.returncode == unknown.returncode == 1
    assert "ci  reader  in use" in listed.stdout
    assert secret not in listed.stdout
    assert revoked.returncode == 0


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_what_the_system_starts_is_the_server_of_this_data_root(tmp_path: Path, platform: str) -> None:
    root = tmp_path / 'a "b" & 100% $HOME ünï'
    try:
        wanted = login_start.service_file(Settings(data_root=root), [], platform, tmp_path)
    except InvalidArguments:
        assert platform == "win32"  # from a folder of sources a task would need an environment
        return
    if platform == "darwin":
        assert plistlib.loads(wanted.text.encode())["ProgramArguments"][-2] == str(root)
    elif platform == "win32":
        assert subprocess.list2cmdline([str(root)]) in "".join(
            ElementTree.fromstring(wanted.text.encode("utf-16")).itertext()
        )
    else:
        line = next(line for line in wanted.text.splitlines() if line.startswith("ExecStart="))
        last = re.findall(r'"((?:[^"\\]|\\.)*)"', line)[-2]
        assert re.sub(r"\\(.)", r"\1", last).replace("%%", "%").replace("$$", "$") == str(root)


def test_a_service_is_shown_before_it_is_written_and_leaves_files_of_others(settings: Settings, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}

    def service(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "--data-root", str(settings.data_root), "service", *words]
        return subprocess.run(
            command,
            env={**environment(), **home},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    path = login_start.service_file(settings, [], sys.platform, tmp_path).path
    asked = service("install")
    assert not path.exists()
    written = service("install", "--yes")
    status = service("status")
    path.write_text("of others", encoding="utf-8")
    changed = service("status")
    refused = [service("install", "--yes"), service("uninstall")]
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    gone = service("status")

    assert asked.returncode == 1
    assert str(settings.data_root) in asked.stdout
    assert written.returncode == status.returncode == 0
    assert changed.returncode == gone.returncode == 1
    assert [one.returncode for one in refused] == [1, 1]
    assert kept == "of others"
