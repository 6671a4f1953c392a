"""A mirror in the files of vibe-agency: its programs go on reading what agents do here."""

import json
from pathlib import Path

import pytest

from server.errors import Conflict, InvalidArguments
from server.exporters.formats import exporter_of
from server.exporters.mirror import Folder
from server.jobs import mirroring
from tests import vibe_store
from tests.importers.vibe_agency.conftest import Brought
from tests.vibe_store import CLEANUP, DEBTS


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "mirror")
    found.begin("vibe-agency")
    return found


async def differences(brought: Brought, folder: Folder) -> list[str]:
    return [line async for line in mirroring.compare(brought.take.db, folder)]


async def test_every_file_is_written_followed_and_compared(brought: Brought, folder: Folder) -> None:
    [(workspace_id,)] = brought.rows("SELECT workspace_id FROM workspaces")
    home = folder.path / workspace_id
    done = await mirroring.write(brought.take.db, folder)
    assert {path: (home / path).read_bytes() for path in brought.found.files} == brought.source()
    assert len(done.written) == len(brought.found.files)
    assert await differences(brought, folder) == []

    await brought.ask("memory_steps", "update", step_id=brought.step_of(CLEANUP, "B001"), status="done")
    assert [line.partition(":")[0] for line in await differences(brought, folder)] == [f"{workspace_id}/{CLEANUP}"]
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*.json")}
    await mirroring.follow(brought.take.db, Folder(folder.path), None, lambda: False)

    assert await differences(brought, folder) == []
    told = json.loads((home / CLEANUP).read_bytes())
    assert told["progress_tracking"]["completed_tasks"][-1] == "B001"
    moved = [path for path, at in before.items() if path.stat().st_mtime_ns != at]
    assert moved == [home / CLEANUP]


async def test_the_file_of_a_plan_that_is_gone_is_set_aside(brought: Brought, folder: Folder) -> None:
    await mirroring.write(brought.take.db, folder)
    await brought.ask("memory_plan", "delete", plan_id=brought.plan_of(DEBTS), confirm=True)

    done = await mirroring.write(brought.take.db, folder)

    [name] = done.removed
    assert name.endswith(DEBTS)
    assert (folder.aside / name).read_bytes() == vibe_store.dump(vibe_store.debts())
    assert await differences(brought, folder) == []


def test_a_folder_that_has_begun_stays_what_it_is(folder: Folder, tmp_path: Path) -> None:
    assert Folder(folder.path).format == "vibe-agency"
    folder.begin("vibe-agency")
    with pytest.raises(Conflict, match="empty folder"):
        folder.begin("json")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="empty folder"):
        Folder(tmp_path / "full").begin("vibe-agency")
    with pytest.raises(InvalidArguments, match="vibe-agency"):
        exporter_of("vibe")
