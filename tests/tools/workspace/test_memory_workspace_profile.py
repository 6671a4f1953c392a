"""memory_workspace reindex and register: what a project folder holds."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.errors import InvalidArguments
from server.tools.workspace import indexing, profile
from tests.conftest import Agent

WS = "memory_workspace"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def fill(folder: Path) -> None:
    """Make a small project of two languages."""
    package = {
        "scripts": {"build": "vite build", "dev": "vite", "test": "vitest run"},
        "dependencies": {"react": "19"},
        "devDependencies": {"vitest": "4"},
    }
    write(
        folder,
        **{
            "package.json": json.dumps(package),
            "pnpm-lock.yaml": "lockfileVersion: 9\n",
            ".editorconfig": "root = true\n[*]\nindent_style = space\nindent_size = 2\nmax_line_length = 100\n",
            ".gitignore": "generated/\n*.log\n",
            "src/app.ts": "export const a = 'one';\nexport const b = 'two';\n" * 5,
            "src/view.tsx": "const c = 'three';\nfunction f() {\n  return 'x';\n}\n" * 5,
            "tests/app.test.ts": "test('a', () => {\n  expect('a');\n});\n",
            "scripts/tidy.py": "print('a')",
            "generated/api.ts": "export {}\n",
            "debug.log": "noise\n",
            "node_modules/react/index.js": "x\n",
        },
    )


async def reindexed(agent: Agent, workspace_id: str) -> dict[str, Any]:
    return await agent(WS, "reindex", workspace_id=workspace_id)


async def test_a_profile_tells_what_the_folder_holds(agent: Agent, workspace_id: str, project: Path) -> None:
    fill(project)

    told = await reindexed(agent, workspace_id)
    new = told["new"]

    assert "previous" not in told
    assert new["total_files"] == 8
    assert [one["name"] for one in new["languages"]] == ["TypeScript", "Python"]
    assert new["languages"][0] == {
        "name": "TypeScript", "percentage": 75.0, "file_count": 3, "extensions": [".ts", ".tsx"]
    }  # fmt: skip
    assert new["frameworks"] == ["React"]
    assert new["build_system"] == {
        "type": "pnpm", "config_file": "package.json", "build_command": "pnpm run build", "dev_command": "pnpm run dev"
    }  # fmt: skip
    assert new["test_framework"] == {"name": "vitest", "test_command": "pnpm test", "test_directory": "tests"}
    assert new["package_manager"] == "pnpm"
    assert {one["path"]: (one["purpose"], one["file_count"]) for one in new["key_directories"]} == {
        "src": ("source code", 2),
        "tests": ("tests", 1),
        "scripts": ("scripts and tools", 1),
    }
    assert new["conventions"]["indentation"] == "spaces"
    assert new["conventions"]["indent_size"] == 2
    assert new["conventions"]["max_line_length"] == 100
    assert new["conventions"]["quote_style"] == "single"
    assert new["conventions"]["semicolons"] is True
    assert new["conventions"]["line_endings"] == "lf"
    # package.json, the lock, .editorconfig, .gitignore, three of TypeScript, and the line of Python that does not end
    assert new["total_lines"] == 1 + 1 + 5 + 2 + 10 + 20 + 3 + 1
    assert (await agent(WS, "info", workspace_id=workspace_id))["profile"] == new


async def test_reindexing_tells_what_changed_and_only_that_is_an_event(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    fill(project)
    first = await reindexed(agent, workspace_id)
    before = await agent(WS, "events", workspace_id=workspace_id)

    same = await reindexed(agent, workspace_id)
    again = await agent(WS, "events", workspace_id=workspace_id)
    write(project, **{"go.mod": "module a\nrequire github.com/gin-gonic/gin v1.9.1\n", "main.go": "package main\n"})
    other = await reindexed(agent, workspace_id)
    after = await agent(WS, "events", workspace_id=workspace_id)

    assert first["changes"]["languages_changed"] is first["changes"]["frameworks_changed"] is True
    assert (first["changes"]["files_delta"], first["changes"]["lines_delta"]) == (8, 43)
    assert same["new"] == same["previous"] == first["new"]
    assert not any(same["changes"].values())
    assert again == before
    assert other["previous"] == first["new"]
    assert other["changes"] == {
        "languages_changed": True, "frameworks_changed": True, "files_delta": 2, "lines_delta": 3
    }  # fmt: skip
    assert [event["type"] for event in after["events"]][len(before["events"]) :] == ["workspace_updated"]


async def test_a_folder_that_is_gone_cannot_be_indexed(agent: Agent, workspace_id: str, project: Path) -> None:
    project.rename(project.with_name("away"))

    refused = await agent.fails(WS, "reindex", workspace_id=workspace_id)

    assert refused["code"] == "invalid_arguments"
    assert "migrate" in refused["message"]
    assert "scan_ghosts" in refused["message"]


async def test_a_new_workspace_has_a_profile_at_once_and_an_empty_folder_has_none(agent: Agent, tmp_path: Path) -> None:
    fill(tmp_path / "full")
    (tmp_path / "empty").mkdir()

    full = await agent(WS, "register", workspace_path=str(tmp_path / "full"))
    empty = await agent(WS, "register", workspace_path=str(tmp_path / "empty"))

    told = await agent(WS, "info", workspace_id=full["workspace_id"])
    assert told["profile"]["total_files"] == 8
    assert [event["type"] for event in told["last_events"]] == ["workspace_registered"]
    assert "profile" not in await agent(WS, "info", workspace_id=empty["workspace_id"])


async def test_a_folder_that_takes_long_is_looked_at_in_the_background(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "large")
    monkeypatch.setattr(indexing, "QUICK_SECONDS", 0)

    made = await agent(WS, "register", workspace_path=str(tmp_path / "large"))
    waited = await agent(
        WS, "events", workspace_id=made["workspace_id"], since_id=1, types=["workspace_updated"], wait_seconds=20
    )

    assert [event["type"] for event in waited["events"]] == ["workspace_updated"]
    assert (await agent(WS, "info", workspace_id=made["workspace_id"]))["profile"]["total_files"] == 8


async def test_nothing_in_a_folder_holds_the_walk_up_or_leads_it_out(
    agent: Agent, workspace_id: str, project: Path, tmp_path: Path
) -> None:
    write(tmp_path / "elsewhere", **{"secret.py": "x\n"})
    write(project, **{"a.py": "x = 1\n", "data.py": "a\0b\n", "package.json": "[" * 5000, "pyproject.toml": ""})
    (project / "link").symlink_to(tmp_path / "elsewhere")
    (project / "linked.py").symlink_to(tmp_path / "elsewhere" / "secret.py")
    (project / "loop").symlink_to(project)
    os.mkfifo(project / "pipe.py")
    (project / ".gitignore").symlink_to(tmp_path / "elsewhere" / "secret.py")
    (project / os.fsdecode(b"odd\xff")).mkdir()
    write(project / os.fsdecode(b"odd\xff"), **{"b.py": "y\n"})

    new = (await reindexed(agent, workspace_id))["new"]

    assert new["total_files"] == 5
    assert new["languages"][0]["file_count"] == 3
    assert new["total_lines"] == 3
    assert [one["path"] for one in new["key_directories"]] == ["odd?"]


async def test_the_walk_stops_after_so_many_files_and_says_so(
    agent: Agent, workspace_id: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "MOST_FILES", 3)
    write(project, **{f"{number}.py": "x\n" for number in range(5)})

    new = (await reindexed(agent, workspace_id))["new"]

    assert new["total_files"] == 3
    assert "more than 3 files" in new["stopped"]


async def test_what_one_file_holds_is_read_up_to_a_bound(
    agent: Agent, workspace_id: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "FILE_BYTES", 100)
    write(project, **{"a.py": "\n" * 1000})

    assert (await reindexed(agent, workspace_id))["new"]["total_lines"] == 100


async def test_a_walk_that_nobody_waits_for_ends(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(project)
    reached, gone, ended = threading.Event(), threading.Event(), threading.Event()
    entries = profile._entries

    def slow(folder: str) -> list[os.DirEntry[str]]:
        reached.set()
        gone.wait(20)
        return entries(folder)

    def walk(*given: Any) -> dict[str, Any]:
        try:
            return real(*given)
        except profile.Interrupted:
            ended.set()
            raise

    real = profile.profile
    monkeypatch.setattr(profile, "_entries", slow)
    monkeypatch.setattr(profile, "profile", walk)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(indexing.look, str(project), "2030-01-01T00:00:00.000Z")
        await anyio.to_thread.run_sync(reached.wait, 20)
        tasks.cancel_scope.cancel()
    gone.set()

    assert await anyio.to_thread.run_sync(ended.wait, 20)


@pytest.mark.parametrize("text", ["[]", "{", '{"scripts": 5, "dependencies": [1]}', '{"scripts": {"build": 7}}', ""])
async def test_manifests_of_any_shape_are_looked_at(agent: Agent, workspace_id: str, project: Path, text: str) -> None:
    write(project, **{"package.json": text, "pyproject.toml": text, ".prettierrc": text, ".editorconfig": text})

    assert (await reindexed(agent, workspace_id))["new"]["build_system"]["type"] == "npm"


async def test_a_python_project_is_told_by_its_manifest(agent: Agent, workspace_id: str, project: Path) -> None:
    manifest = """
[project]
dependencies = ["django>=5", 'flask']
[tool.pytest.ini_options]
testpaths = ["checks"]
[tool.ruff]
line-length = 120
"""
    write(project, **{"pyproject.toml": manifest, "uv.lock": "", "a/b.py": "def f():\n    return 1\n" * 10})

    new = (await reindexed(agent, workspace_id))["new"]

    assert new["frameworks"] == ["Django", "Flask"]
    assert new["test_framework"] == {"name": "pytest", "config_file": "pyproject.toml", "test_command": "pytest"}
    assert new["package_manager"] == "uv"
    assert new["conventions"] == {
        "indentation": "spaces", "indent_size": 4, "line_endings": "lf", "max_line_length": 120
    }  # fmt: skip
    assert new["key_directories"] == [{"path": "a", "purpose": "mostly Python", "file_count": 1}]


async def test_a_relative_folder_of_another_platform_is_not_looked_for_here() -> None:
    with pytest.raises(InvalidArguments, match="is not there"):
        await indexing.look("C:\\project", "2030-01-01T00:00:00.000Z")
