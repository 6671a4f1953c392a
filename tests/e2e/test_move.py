"""`project-memory move OLD NEW`: project folders that were moved, told in a terminal."""

import json
from pathlib import Path

import pytest

from tests.conftest import Agent
from tests.e2e.terminals import Terminal, piped


@pytest.fixture
def root(agent: Agent) -> Path:
    assert agent.settings
    return agent.settings.data_root


async def test_a_folder_that_was_moved_is_the_same_workspace(
    root: Path, agent: Agent, workspace_id: str, project: Path, tmp_path: Path
) -> None:
    new = tmp_path / "re named"
    refused = piped(root, "move", str(project), str(new))
    assert (refused.returncode, "cannot be used" in refused.stderr) == (2, True)
    new.mkdir()
    refused = piped(root, "move", str(project), str(new))
    assert (refused.returncode, "mv " in refused.stderr) == (1, True)
    new.rmdir()
    project.rename(new)

    shown = piped(root, "move", str(project), str(new), "--dry-run")
    assert (shown.returncode, f"{project} -> {new}" in shown.stdout) == (0, True)
    refused = piped(root, "move", str(project), str(new))
    assert (refused.returncode, "--yes" in refused.stderr) == (1, True)
    asked = Terminal(root, "move", str(project), str(new))
    asked.read_to(r"Go on\?")
    asked.type("n\n")
    assert asked.end() == 1
    assert (await agent("memory_workspace", "info", workspace_id=workspace_id))["path"] == str(project)

    asked = Terminal(root, "move", str(project), str(new))
    asked.read_to(r"Go on\?")
    asked.type("y\n")
    assert asked.end() == 0, asked.shown
    told = await agent("memory_workspace", "info", workspace_path=str(new))
    assert (told["workspace_id"], told["path"]) == (workspace_id, str(new))
    assert told["former_paths"] == [str(project)]
    assert [event["agent"] for event in told["last_events"] if event["type"] == "workspace_moved"] == ["cli"]
    identity = json.loads((new / ".projectmemory" / "identity.json").read_text(encoding="utf-8"))
    assert (identity["workspace_id"], identity["workspace_path"]) == (workspace_id, str(new))

    again = piped(root, "move", str(project), str(new), "--yes")
    assert (again.returncode, str(new) in again.stderr) == (1, True)


async def test_all_workspaces_of_a_folder_move_with_it(root: Path, agent: Agent, tmp_path: Path) -> None:
    ids: dict[str, str] = {}
    for name in ("a", "a/inner", "b"):
        (tmp_path / "code" / name).mkdir(parents=True)
        given = {"workspace_path": str(tmp_path / "code" / name), "force": True}
        ids[name] = (await agent("memory_workspace", "register", **given))["workspace_id"]
    (tmp_path / "code").rename(tmp_path / "src")
    (tmp_path / "src" / "a" / "inner" / ".projectmemory" / "identity.json").unlink()
    done = piped(root, "move", str(tmp_path / "code"), str(tmp_path / "src"), "--yes")
    assert done.returncode == 0, done.stderr
    for name, workspace_id in ids.items():
        told = await agent("memory_workspace", "info", workspace_id=workspace_id)
        assert told["path"] == str(tmp_path / "src" / name)


async def test_what_cannot_be_is_told(
    root: Path, agent: Agent, workspace_id: str, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    unknown = piped(root, "move", str(tmp_path / "none"), str(tmp_path / "other"), "--yes")
    assert (unknown.returncode, "No workspace has the folder" in unknown.stderr) == (1, True)
    project.rename(tmp_path / "away")
    taken = piped(root, "move", workspace_id, str(tmp_path / "other"), "--yes")
    assert (taken.returncode, "merge" in taken.stderr, other in taken.stderr) == (1, True, True)
    assert piped(root, "move", str(project)).returncode == 2
