"""`project-memory move --data-root NEW`: the data root itself, and what follows it."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server.settings import DATABASE_NAME, MOVED_TO
from tests.e2e import commands
from tests.e2e.conftest import ROOT, RawServer, environment
from tests.e2e.mover_that_dies import STRIDE
from tests.populated_store import PopulatedStore

COMMAND = [sys.executable, "-m", "server"]
SECONDS = 120


def run(root: Path | None, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    at = ["--data-root", str(root)] if root else []
    return subprocess.run(
        [*commands.program(), *words, *at],
        check=False, capture_output=True, text=True, env=environment(**env), timeout=SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def move(old: Path, new: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(new, "move", "--from", str(old), "--yes", *words)


def told(root: Path) -> dict[str, Any]:
    """What a store holds, as its workspaces are listed with their plans counted."""
    done = run(root, "call", "workspace", "list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_all_of_it_is_there_and_the_old_place_leads_to_it(copy: PopulatedStore, tmp_path: Path) -> None:
    old, new = copy.data_root, tmp_path / "disk two" / "memory"
    (old / "trash").mkdir(exist_ok=True)
    (old / "trash" / "kept").write_text("kept", encoding="utf-8")
    (old / "of-others.txt").write_text("mine", encoding="utf-8")
    before = told(old)

    shown = move(old, new, "--dry-run")
    assert (shown.returncode, new.exists(), "of-others.txt" in shown.stdout) == (0, False, True), shown.stderr
    done = move(old, new)
    assert done.returncode == 0, done.stderr

    assert (old / MOVED_TO).read_text(encoding="utf-8") == f"{new}\n"
    assert (new / "trash" / "kept").read_text(encoding="utf-8") == "kept"
    assert (old / "of-others.txt").is_file()
    assert not (old / DATABASE_NAME).exists()
    [aside] = old.glob("moved-away-*")
    assert {DATABASE_NAME, "trash"} <= files(aside)
    assert (new.stat().st_mode & 0o077, (new / DATABASE_NAME).stat().st_mode & 0o077) == (0, 0)
    assert told(new) == told(old) == before
    assert not (old / DATABASE_NAME).exists()

    again = move(old, new)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    third = tmp_path / "third"
    assert move(old, third).returncode == 0
    assert told(old) == told(new) == told(third) == before
    assert (new / MOVED_TO).is_file()


async def test_a_server_on_the_old_place_follows_and_none_that_runs_is_cut_off(
    copy: PopulatedStore, tmp_path: Path, start: Callable[..., Awaitable[RawServer]]
) -> None:
    server = await start(data_root=copy.data_root)
    before = await server.call("memory_workspace", "list")
    refused = move(copy.data_root, tmp_path / "new")
    assert (refused.returncode, str(server.process.pid) in refused.stderr) == (75, True)
    assert not (tmp_path / "new").exists()
    await server.end()

    assert move(copy.data_root, tmp_path / "new").returncode == 0
    server = await start(data_root=copy.data_root)
    assert await server.call("memory_workspace", "list") == before
    await server.end()
    assert not (copy.data_root / DATABASE_NAME).exists()


async def test_a_target_that_is_gone_is_an_error_until_it_is_back(
    copy: PopulatedStore, tmp_path: Path, start: Callable[..., Awaitable[RawServer]]
) -> None:
    new = tmp_path / "new"
    assert move(copy.data_root, new).returncode == 0
    new.rename(tmp_path / "unplugged")
    for words in (("call", "workspace", "list"), ("status",), ("check",), ("search-index", "--rebuild"), ("compact",)):
        done = run(copy.data_root, *words)
        assert (done.returncode, str(new) in done.stderr) == (1, True), done
    server = await start(data_root=copy.data_root)
    answer = await server.call("memory_workspace", "list")
    assert (answer["error"]["code"], str(new) in answer["error"]["message"]) == ("storage", True)
    assert not new.exists()
    assert not (copy.data_root / DATABASE_NAME).exists()
    (tmp_path / "unplugged").rename(new)
    assert "workspaces" in await server.call("memory_workspace", "list")
    await server.end()


@pytest.mark.parametrize("text", ["", "relative/path\n", "/with\nlines\n", b"\xff\xfe", "SELF", "CIRCLE"])
def test_a_file_that_leads_nowhere_is_an_error(copy: PopulatedStore, tmp_path: Path, text: str | bytes) -> None:
    root, other = copy.data_root, tmp_path / "other"
    other.mkdir()
    if text == "CIRCLE":
        (other / MOVED_TO).write_text(str(root), encoding="utf-8")
        text = str(other)
    content = text if isinstance(text, bytes) else text.replace("SELF", str(root)).encode()
    (root / MOVED_TO).write_bytes(content)
    done = run(root, "call", "workspace", "list")
    assert (done.returncode, MOVED_TO in done.stderr, len(done.stderr.splitlines())) == (1, True, 1), done.stderr
    assert files(other) <= {MOVED_TO}


def test_what_is_no_place_for_it_is_refused_and_nothing_changes(copy: PopulatedStore, tmp_path: Path) -> None:
    old = copy.data_root
    before = told(old)
    full, a_file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine").touch()
    a_file.touch()
    for new in (full, a_file, a_file / "below", old / "inner", tmp_path, old, tmp_path / "odd\x01"):
        done = move(old, new)
        assert done.returncode in (1, 2), (new, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert told(old) == before
    assert not (old / MOVED_TO).exists()


def test_the_folders_of_projects_name_the_new_data_root(tmp_path: Path) -> None:
    old, new, project = tmp_path / "old", tmp_path / "new", tmp_path / "project"
    project.mkdir()
    assert run(old, "call", "workspace", "register", f"workspace_path={project}").returncode == 0
    assert move(old, new).returncode == 0
    identity = json.loads((project / ".projectmemory" / "identity.json").read_text(encoding="utf-8"))
    assert identity["data_root"] == str(new)
    project.rename(tmp_path / "renamed")
    done = run(old, "call", "workspace", "register", f"workspace_path={tmp_path / 'renamed'}", "--json")
    assert json.loads(done.stdout)["moved_from"] == str(project)


def test_kill_at_every_step_leaves_the_old_or_the_new_in_force(tmp_path: Path, seeded: Path) -> None:
    store, project = tmp_path / "store", tmp_path / "project"
    project.mkdir()
    assert run(store, "call", "workspace", "register", f"workspace_path={project}").returncode == 0
    (store / "trash" / "deep").mkdir(parents=True)
    (store / "trash" / "deep" / "kept").write_text("kept", encoding="utf-8")
    before = told(store)
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.mover_that_dies", str(store), str(tmp_path / "moves")],
        check=False, capture_output=True, text=True, env=environment(), timeout=SECONDS, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    moves = [json.loads(line) for line in done.stdout.splitlines()]
    for move_ in moves:
        assert move_["listed"][0] == 0, move_
        assert json.loads(move_["listed"][1]) == before, move_
        assert move_["again"] == (0 if move_["in force"] == "old" else 1), move_
        assert {DATABASE_NAME, "trash/deep/kept"} <= set(move_["files"]), move_
        assert move_["left over"] == [], move_
    assert {move_["in force"] for move_ in moves if move_["died"]} == {"old", "new"}
    assert len(moves) > 20 // STRIDE
