"""memory_workspace: editor workspaces that show of a project what a plan is about."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent

WS = "memory_workspace"
HOME = ".projectmemory/workspaces"
BASE = """// how we work
{
  "folders": [{"path": "elsewhere"}], /* not these */
  "settings": {"editor.rulers": [120], "search.exclude": {"**/*.log": true,}, "u": "http://a//b, ]"},
  "extensions": {"recommendations": ["a.b"]},
}
"""


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str, project: Path) -> str:
    for path in ("src/app.py", "src/deep/step.py", "docs/a.md", "docs/b.md", "README.md", "odd[1]/x"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("x", encoding="utf-8")
    return (await agent("memory_plan", "create", workspace_id=workspace_id, title="Sail"))["plan_id"]


async def written(agent: Agent, plan_id: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    told = await agent(WS, "generate_focused_workspace", plan_id=plan_id, **more)
    return told, json.loads(Path(told["workspace_file_path"]).read_text(encoding="utf-8"))


def places(told: dict[str, Any], document: dict[str, Any]) -> list[Path]:
    """The folders that an editor opens."""
    home = Path(told["workspace_file_path"]).parent
    return [Path(os.path.normpath(home / folder["path"])) for folder in document["folders"]]


async def test_allowed_directories_are_the_folders_of_the_file(
    agent: Agent, plan_id: str, workspace_id: str, project: Path
) -> None:
    wanted = {"directories_allowed": ["docs", "src", "src/deep"], "files_allowed": ["src/app.py"]}
    told, document = await written(agent, plan_id, **wanted)

    assert told["path"] == f"{HOME}/{plan_id}.code-workspace"
    assert Path(told["workspace_file_path"]) == project / told["path"]
    assert places(told, document) == [project / "docs", project / "src"]
    settings = document["settings"]
    assert settings["search.exclude"]["**/node_modules"] is settings["files.watcherExclude"]["**/.git"] is True
    assert "files.exclude" not in settings
    assert (told["directories_allowed"], "files_allowed" in told) == (["docs", "src"], False)
    assert (project / ".projectmemory/.gitignore").read_text(encoding="utf-8") == "*\n"
    logged = (await agent(WS, "events", workspace_id=workspace_id, types=["workspace_scope_changed"]))["events"]
    assert [one["data"]["path"] for one in logged] == [told["path"]]


async def test_beside_allowed_files_everything_is_left_out(agent: Agent, plan_id: str, project: Path) -> None:
    told, document = await written(
        agent, plan_id, directories_allowed=["src/deep"], files_allowed=["docs/a.md", "src/new.py"]
    )

    assert places(told, document) == [project]
    hidden = document["settings"]["files.exclude"]
    assert hidden.keys() == {"README.md", "docs/b.md", "src/app.py", "odd[[]1]", ".projectmemory"}
    assert hidden.items() <= document["settings"]["search.exclude"].items()
    assert hidden.items() <= document["settings"]["files.watcherExclude"].items()


@pytest.mark.parametrize("wanted", [{}, {"directories_allowed": ["."], "files_allowed": ["README.md"]}])
async def test_without_limits_the_whole_project_is_shown(
    agent: Agent, plan_id: str, project: Path, wanted: dict[str, Any]
) -> None:
    told, document = await written(agent, plan_id, **wanted)

    assert places(told, document) == [project]
    assert "files.exclude" not in document["settings"]


async def test_a_base_is_taken_over_but_for_its_folders(agent: Agent, plan_id: str, project: Path) -> None:
    (project / "team.code-workspace").write_text(BASE, encoding="utf-8")
    base = {"base_workspace_path": "team.code-workspace"}
    told, document = await written(agent, plan_id, directories_allowed=["src"], **base)

    assert places(told, document) == [project / "src"]
    assert document["extensions"] == {"recommendations": ["a.b"]}
    assert (document["settings"]["editor.rulers"], document["settings"]["u"]) == ([120], "http://a//b, ]")
    assert document["settings"]["search.exclude"].keys() >= {"**/*.log", "**/node_modules"}


async def test_the_same_call_changes_nothing_and_another_replaces_what_nobody_changed(
    agent: Agent, plan_id: str, workspace_id: str, project: Path
) -> None:
    call = {"plan_id": plan_id, "directories_allowed": ["src"]}
    first = await agent(WS, "generate_focused_workspace", **call)
    file = project / first["path"]
    before = file.stat().st_mtime_ns
    assert (await agent(WS, "generate_focused_workspace", **call))["unchanged"] is True
    assert file.stat().st_mtime_ns == before
    await agent(WS, "generate_focused_workspace", plan_id=plan_id, directories_allowed=["docs"])
    assert '"docs"' in file.read_text(encoding="utf-8")
    assert (await agent(WS, "trash", workspace_id=workspace_id))["trash"] == []

    changed = file.read_text(encoding="utf-8").replace("**/build", "**/built")
    file.write_text(changed, encoding="utf-8")
    error = await agent.fails(WS, "generate_focused_workspace", **call)
    assert (error["code"], file.read_text(encoding="utf-8")) == ("conflict", changed)
    other = await agent(WS, "generate_focused_workspace", **call, output_filename="other")
    assert other["path"] == f"{HOME}/other.code-workspace"
    assert sorted(path.name for path in file.parent.iterdir()) == ["other.code-workspace", file.name]


async def test_a_file_that_an_editor_laid_out_anew_is_still_ours(agent: Agent, plan_id: str, project: Path) -> None:
    told, document = await written(agent, plan_id, directories_allowed=["src"])
    (project / told["path"]).write_text(f"// by hand\n{json.dumps(document)}", encoding="utf-8")

    again, document = await written(agent, plan_id, directories_allowed=["docs"])

    assert places(again, document) == [project / "docs"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"directories_allowed": ["../elsewhere"]}, "not_allowed"),
        ({"directories_allowed": ["/etc"]}, "not_allowed"),
        ({"directories_allowed": ["gone", "src"]}, "invalid_arguments"),
        ({"directories_allowed": ["README.md"]}, "invalid_arguments"),
        ({"files_allowed": ["src"]}, "invalid_arguments"),
        ({"files_allowed": ["../x"]}, "not_allowed"),
        ({"files_allowed": [".env"]}, "not_allowed"),
        ({"directories_allowed": ["link"]}, "not_allowed"),
        ({"output_filename": "../evil"}, "invalid_arguments"),
        ({"output_filename": "a/b.code-workspace"}, "invalid_arguments"),
        ({"output_filename": ".hidden"}, "invalid_arguments"),
        ({"base_workspace_path": "README.md"}, "not_allowed"),
        ({"base_workspace_path": "gone.code-workspace"}, "not_found"),
        ({"base_workspace_path": "bad.code-workspace"}, "invalid_arguments"),
        ({"base_workspace_path": "list.code-workspace"}, "invalid_arguments"),
        ({"base_workspace_path": "../x.code-workspace"}, "not_allowed"),
        ({"plan_id": "plan_nowhere"}, "not_found"),
    ],
)
async def test_a_bad_call_writes_nothing(
    agent: Agent, plan_id: str, project: Path, wrong: dict[str, Any], code: str
) -> None:
    (project / "link").symlink_to("/etc")
    (project / "bad.code-workspace").write_text('{"settings": 1e999}', encoding="utf-8")
    (project / "list.code-workspace").write_text("[]", encoding="utf-8")

    error = await agent.fails(WS, "generate_focused_workspace", **{"plan_id": plan_id, **wrong})

    assert error["code"] == code
    assert not (project / HOME).exists() or list((project / HOME).iterdir()) == []


@pytest.mark.parametrize("place", [".projectmemory", HOME, f"{HOME}/mine.code-workspace"])
async def test_no_link_is_followed(agent: Agent, plan_id: str, project: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away/file").write_text("theirs", encoding="utf-8")
    if place == ".projectmemory":
        for path in (project / place).iterdir():
            path.unlink()
        (project / place).rmdir()
    (project / place).parent.mkdir(exist_ok=True)
    (project / place).symlink_to(tmp_path / ("away/file" if place.endswith("workspace") else "away"))

    error = await agent.fails(WS, "generate_focused_workspace", plan_id=plan_id, output_filename="mine")

    assert error["code"] == "not_allowed"
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["file"]
    assert (tmp_path / "away/file").read_text(encoding="utf-8") == "theirs"


async def test_what_was_written_is_listed_by_plan_and_in_pages(
    agent: Agent, plan_id: str, workspace_id: str, project: Path
) -> None:
    here = {"workspace_id": workspace_id}
    assert (await agent(WS, "list_focused_workspaces", **here))["files"] == []
    other = (await agent("memory_plan", "create", title="Other", **here))["plan_id"]
    for number in range(3):
        await agent(WS, "generate_focused_workspace", plan_id=plan_id, output_filename=f"part {number}")
    await agent(WS, "generate_focused_workspace", plan_id=other, directories_allowed=["src"])
    (project / HOME / "theirs.code-workspace").write_text("{}", encoding="utf-8")
    (project / HOME / "torn.code-workspace").write_text("{", encoding="utf-8")
    (project / HOME / "note.txt").write_text("no", encoding="utf-8")

    mine = await agent(WS, "list_focused_workspaces", plan_id=plan_id)
    assert [(Path(row["path"]).name, row["plan_id"]) for row in mine["files"]] == [
        (f"part {number}.code-workspace", plan_id) for number in range(3)
    ]
    [one] = (await agent(WS, "list_focused_workspaces", plan_id=other))["files"]
    assert (one["directories_allowed"], "changed" in one) == (["src"], False)
    seen, cursor = list[dict[str, Any]](), None
    while True:
        page = await agent(WS, "list_focused_workspaces", **here, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += page["files"]
        if not (cursor := page.get("next_cursor")):
            break
    assert page["total"] == len(seen) == 6
    by_name = {Path(row["path"]).name: row for row in seen}
    assert by_name["theirs.code-workspace"]["changed"] is True
    assert by_name["torn.code-workspace"]["problem"]


async def test_a_file_is_written_by_whoever_comes_after_a_crash(
    agent: Agent, plan_id: str, project: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_loss(*_: Any) -> None:
        raise OSError("refused by a test")

    with monkeypatch.context() as broken:
        broken.setattr("server.confined.changes.FileChange.carry_out", power_loss)
        told = await agent(WS, "generate_focused_workspace", plan_id=plan_id)
    assert "warnings" in told
    assert not (project / told["path"]).exists()

    await agent("memory_filesystem", "write", path="a.txt", content="a", workspace_path=str(project))

    assert (project / told["path"]).is_file()
    await (await open_store(settings)).close()


async def test_agents_write_no_such_file_themselves(agent: Agent, workspace_id: str) -> None:
    call = {"workspace_id": workspace_id, "path": "x.code-workspace", "content": "{}"}

    assert (await agent.fails("memory_filesystem", "write", **call))["code"] == "not_allowed"
