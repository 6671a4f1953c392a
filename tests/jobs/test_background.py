"""An import that takes long goes on without the agent that began it."""

from pathlib import Path

import pytest

from server.jobs import background
from server.models.workspaces import LegacyStore
from server.settings import Settings
from server.tools.older_stores import OlderStore
from server.waiting import Waits
from tests import legacy_store
from tests.conftest import Agent


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_root=tmp_path / "data", auto_import=True, synchronous="off")


async def test_an_agent_does_not_wait_for_a_long_import(
    agent: Agent, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 0)
    legacy_store.write(project / "data", plans=2, steps=2)
    told = (await agent("memory_workspace", "register", workspace_path=str(project)))["legacy_store"]
    assert told == {"path": str(project), "status": "importing"}
    assert (await agent("memory_workspace", "info", workspace_path=str(project)))["legacy_store"]["status"] == (
        "importing"
    )

    monkeypatch.setattr(background, "PATIENCE_SECONDS", 60)
    told = (await agent("memory_workspace", "register", workspace_path=str(project)))["legacy_store"]
    assert (told["status"], told["plans"]) == ("imported", 2)


async def test_a_store_that_gives_nothing_is_told_to_have_failed(agent: Agent, project: Path) -> None:
    place = project / "data" / legacy_store.WORKSPACE
    place.mkdir(parents=True)
    (place / "workspace.meta.json").write_bytes(b'{"workspace_id": "cut o')
    told = (await agent("memory_workspace", "register", workspace_path=str(project)))["legacy_store"]

    assert told["status"] == "failed"
    assert "workspace.meta.json" in told["reason"]
    assert (place / "workspace.meta.json").read_bytes() == b'{"workspace_id": "cut o'


async def test_an_import_that_breaks_off_is_told_to_have_failed() -> None:
    wish = background.Import(OlderStore("/p", ("w",)), Waits())

    with pytest.raises(ZeroDivisionError), wish.under_way():
        raise ZeroDivisionError
    assert (await wish.wait(None)).status == "failed"


async def test_progress_grows_from_stage_to_stage() -> None:
    wish = background.Import(OlderStore("/p", ("w",)), Waits())
    heard: list[float] = []

    async def progress(done: float, total: float, what: str) -> None:
        assert total == len(background.STAGES)
        heard.append(done)
        if what == "Verifying 1 of 1":
            with wish.under_way():
                wish.result = LegacyStore(path="/p", status="imported")

    import anyio

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wish.wait, progress)
        await anyio.lowlevel.checkpoint()
        for what in background.STAGES:
            await wish.tell(what, 0, 2)
            await wish.tell(what, 1, 1)
    assert heard == sorted(heard) == [0, 1, 1, 2, 2, 3, 3, 4]


async def test_nobody_waits_for_an_import_any_more_when_the_server_ends() -> None:
    waits = Waits()
    wish = background.Import(OlderStore("/p", ("w",)), waits)
    waits.end()

    assert (await wish.wait(None)).status == "importing"
