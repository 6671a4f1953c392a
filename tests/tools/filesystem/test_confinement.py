"""Whatever path is sent: nothing outside the project is read or changed, and nothing waits for ever."""

import json
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.confined.changes import PreparedChange
from server.confined.folder import OpenFolder, Parts, place_of
from server.db.audit import trash
from server.db.storage.connection import Database
from server.errors import NotAllowed, ProjectMemoryError
from server.tools.library import client_texts
from server.tools.library.client_texts import FileChangeWanted, hash_of
from tests.confined_traps import PARTS, SECRET, Traps, set_up
from tests.conftest import Agent, ToolError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, sockets and links that anybody may make")

FILES = "memory_filesystem"
CALLS = 300
SWAPS = 400  # of a folder and a link, while files in it are opened
HANDLES = [True, False]


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Traps:
    return set_up(tmp_path_factory.mktemp("traps"))


def paths(traps: Traps) -> st.SearchStrategy[str]:
    parts = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), min_size=1, max_size=5)
    return st.builds(
        lambda start, parts, joint: start + joint.join(parts),
        st.sampled_from(traps.starts()),
        parts,
        st.sampled_from("/\\"),
    )


@pytest.mark.parametrize("by_handle", HANDLES)
@settings(max_examples=250)
@given(data=st.data())
def test_no_path_reads_what_is_outside(traps: Traps, by_handle: bool, data: st.DataObject) -> None:
    text, root = data.draw(paths(traps)), str(traps.project)
    with suppress(ProjectMemoryError):
        _, parts = place_of(root, text, follows_last=data.draw(st.booleans()))
        with opened(root, parts, by_handle=by_handle) as file:
            assert file.read(100) == b"inside"


@contextmanager
def opened(root: str, parts: Parts, *, by_handle: bool) -> Generator[BufferedReader]:
    with (
        OpenFolder.opened(root, parts[:-1], by_handle=by_handle) as folder,
        folder.reading(parts[-1] if parts else "") as file,
    ):
        yield file


@pytest.mark.parametrize("by_handle", HANDLES)
def test_a_link_that_is_swapped_in_while_files_are_opened_leads_nowhere(traps: Traps, by_handle: bool) -> None:
    root, before, read, refused = str(traps.project), traps.seen(), 0, 0
    with swapping(traps) as swapped:
        while swapped() < SWAPS:
            try:
                _, parts = place_of(root, "swap/secret.txt")
                with opened(root, parts, by_handle=by_handle) as file:
                    content = file.read(100).decode()
                read += 1
            except ProjectMemoryError:
                refused += 1
                continue
            assert content == "inside"

    assert refused
    assert read
    assert traps.seen() == before


def test_nothing_is_written_behind_a_link_that_is_swapped_in(traps: Traps, tmp_path: Path) -> None:
    root, before, written, refused = str(traps.project), traps.seen(), 0, 0
    with swapping(traps) as swapped:
        while swapped() < SWAPS:
            try:
                _, parts = place_of(root, f"swap/new-{written % 3}.txt")
                with PreparedChange(root, parts) as change:
                    change.put([b"new"], tmp_path / "store")
                written += 1
            except ProjectMemoryError:
                refused += 1

    assert written
    assert refused
    assert traps.seen() == before


@pytest.mark.parametrize("is_link", [True, False])
def test_what_somebody_put_where_a_folder_was_made_stays_when_the_change_is_given_up(
    tmp_path: Path, is_link: bool
) -> None:
    place = tmp_path / "new"
    with suppress(InterruptedError), PreparedChange(str(tmp_path), ("new", "a.txt")) as change:
        change.make_folders(("new",))
        place.rmdir()
        if is_link:
            place.symlink_to("elsewhere")
        else:
            place.write_text("theirs", encoding="utf-8")
        raise InterruptedError

    assert place.is_symlink() if is_link else place.read_text(encoding="utf-8") == "theirs"


@contextmanager
def swapping(traps: Traps) -> Generator[Any]:
    """Let another thread swap a folder and a link out, over and over; yield how often it did."""
    folder, link, swap = (traps.project / name for name in ("swap-folder", "swap-link", "swap"))
    folder.mkdir()
    (folder / "secret.txt").write_text("inside", encoding="utf-8")
    link.symlink_to(traps.outside)
    done = threading.Event()
    count = 0

    def work() -> None:
        nonlocal count
        while not done.is_set():
            for path in (folder, link):
                try:
                    path.rename(swap)
                except OSError:  # somebody made a folder of that name in between
                    shutil.rmtree(swap, ignore_errors=True)
                    continue
                time.sleep(0.0005)
                swap.rename(path)
                count += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: count
    finally:
        done.set()
        thread.join()
        link.unlink()
        shutil.rmtree(folder)


async def test_no_call_leaves_the_project_or_waits(agent: Agent, tmp_path: Path) -> None:
    traps = set_up(tmp_path)
    workspace = await agent("memory_workspace", "register", workspace_path=str(traps.project))
    where = {"workspace_id": workspace["workspace_id"]}
    before, chance, codes = traps.seen(), random.Random(20301), set[str]()

    def path() -> str:
        joint = chance.choice("//\\")
        return chance.choice(traps.starts()) + joint.join(chance.choices(PARTS, k=chance.randint(1, 4)))

    for _ in range(CALLS):
        action, arguments = chance.choice(
            (
                ("read", {"path": path()}),
                ("exists", {"path": path()}),
                ("list", {"path": path(), "recursive": True}),
                ("tree", {"path": path()}),
                ("search", {"path": path(), "query": "secret"}),
                ("write", {"path": path(), "content": "new"}),
                ("append", {"path": path(), "content": "new"}),
                ("delete", {"path": path(), "confirm": True}),
                ("move", {"source": path(), "destination": path(), "overwrite": True}),
                ("copy", {"source": path(), "destination": path(), "overwrite": True}),
            )
        )
        with anyio.fail_after(20):
            code, told = await tried(agent, action, **where, **arguments)
        codes.add(code)
        assert code not in ("internal", "storage"), (action, arguments, told)
        assert SECRET not in told, (action, arguments)
        assert traps.seen() == before, (action, arguments)

    assert {"", "not_allowed", "invalid_arguments", "not_found"} <= codes
    assert not list(traps.project.rglob("*.pm-draft"))


async def tried(agent: Agent, action: str, **arguments: Any) -> tuple[str, str]:
    try:
        return "", json.dumps(await Agent(agent.client)(FILES, action, **arguments))
    except ToolError as error:
        return error.code, str(error)


async def test_a_pipe_a_socket_a_device_and_a_file_with_other_names_are_refused(agent: Agent, tmp_path: Path) -> None:
    traps = set_up(tmp_path)
    workspace = await agent("memory_workspace", "register", workspace_path=str(traps.project))
    where = {"workspace_id": workspace["workspace_id"]}
    for name in ("fifo", "socket", "hard", "out_file", "chain/secret.txt", "null", "zero", "loop", "broken"):
        for action, more in (("read", {}), ("write", {"content": "x"}), ("append", {"content": "x"})):
            with anyio.fail_after(20):
                error = await agent.fails(FILES, action, path=name, **where, **more)
            assert (name, action, error["code"]) == (name, action, "not_allowed")

    told = await agent(FILES, "read", path="in/b/file.txt", **where)
    assert (told["path"], told["content"]) == ("a/b/file.txt", "inside")
    await agent(FILES, "write", path="in/file.txt", content="through a link", **where)
    assert (traps.project / "in").is_symlink()
    assert (traps.project / "a/file.txt").read_text(encoding="utf-8") == "through a link"
    done = await agent(FILES, "delete", path="out", confirm=True, **where)
    assert (done["type"], traps.outside.is_dir(), os.path.lexists(traps.project / "out")) == ("symlink", True, False)
    await agent("memory_workspace", "restore", trash_id=done["trash_id"])
    assert (traps.project / "out").readlink() == traps.outside


@pytest.mark.parametrize("by_handle", HANDLES)
@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../outside", "/etc", "a\0"])
def test_no_part_of_a_path_is_a_way_elsewhere(traps: Traps, by_handle: bool, name: str) -> None:
    root = str(traps.project)
    with pytest.raises(NotAllowed), OpenFolder.opened(root, (name,), by_handle=by_handle):
        pass
    with OpenFolder.opened(root, by_handle=by_handle) as folder:
        for touch in (folder.stat, folder.find, folder.drop, folder.make_folder, folder.link):
            with pytest.raises(NotAllowed):
                touch(name)
        with pytest.raises(NotAllowed):
            folder.rename("file.txt", folder, name)


async def test_an_entry_of_the_trash_that_came_by_an_import_leads_nowhere(
    agent: Agent, tmp_path: Path, db: Database
) -> None:
    """Its rows say what they like: neither what they hold nor where it goes may be anywhere else."""
    traps = set_up(tmp_path)
    workspace = await agent("memory_workspace", "register", workspace_path=str(traps.project))
    before = traps.seen()
    secret = os.path.relpath(traps.outside / "secret.txt", Path(db.path).parent / "trash")
    about = {"kind": "file", "mode": 0o600, "size": 1, "sha256": "", "left": None}
    for trash_id, row in {
        "trash_relative": {"path": "here.txt", "stored": secret},
        "trash_absolute": {"path": "here.txt", "stored": str(traps.outside / "secret.txt")},
        "trash_up": {"path": "../outside/new.txt", "text": "x"},
        "trash_root": {"path": str(traps.outside / "new.txt"), "text": "x"},
    }.items():
        async with db.transaction() as tx:
            await trash.put(
                tx, trash_id=trash_id, entity_type="file", entity_id=row["path"], title="x", plan_id=None,
                workspace_id=workspace["workspace_id"], rows={"files": [{**about, **row}]},
            )  # fmt: skip
        error = await agent.fails("memory_workspace", "restore", trash_id=trash_id)
        assert (trash_id, error["code"] in ("not_allowed", "not_found")) == (trash_id, True)

    assert traps.seen() == before
    assert not (traps.project / "here.txt").exists()


def test_what_a_client_reads_is_not_written_behind_a_link_that_is_swapped_in(traps: Traps) -> None:
    root, before, written, kept = str(traps.project), traps.seen(), 0, 0
    with swapping(traps) as swapped:
        while swapped() < SWAPS:
            path = f"swap/{written % 3}/SKILL.md"
            with suppress(ProjectMemoryError):
                seen = client_texts.part_at(root, path, "")
                wanted = FileChangeWanted(path, "", f"text {written}", hash_of(seen) if seen is not None else None)
                done = client_texts.carry_out(root, [wanted])
                written, kept = written + len(done.written), kept + len(done.kept)
                client_texts.carry_out(root, [FileChangeWanted(path, "", None, hash_of(wanted.text or ""))])

    assert written
    assert traps.seen() == before
