"""memory_workspace scan_ghosts: workspaces that are not where they should be."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conftest import Agent

WS = "memory_workspace"


async def registered(agent: Agent, folder: Path, **more: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return (await agent(WS, "register", workspace_path=str(folder), **more))["workspace_id"]


def said(folder: Path, **fields: str) -> None:
    file = folder / ".projectmemory" / "identity.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**known, **fields}), encoding="utf-8")


async def test_what_is_gone_or_disagrees_is_told_and_nothing_is_changed(agent: Agent, tmp_path: Path) -> None:
    names = ("well", "gone", "cut/off", "other", "elsewhere", "broken", "bare")
    ids = {name: await registered(agent, tmp_path / name) for name in names}
    shutil.rmtree(tmp_path / "gone")
    shutil.rmtree(tmp_path / "cut")
    said(tmp_path / "other", workspace_id=ids["well"])
    said(tmp_path / "elsewhere", workspace_path=str(tmp_path / "nowhere"))
    (tmp_path / "broken" / ".projectmemory" / "identity.json").write_text("{", encoding="utf-8")
    shutil.rmtree(tmp_path / "bare" / ".projectmemory")

    first = await agent(WS, "scan_ghosts")
    again = await agent(WS, "scan_ghosts")

    found = {ghost["workspace_id"]: ghost for ghost in first["ghosts"]}
    assert {one: found[one]["kind"] for one in found} == {
        ids["gone"]: "gone",
        ids["cut/off"]: "unreachable",
        ids["other"]: "identity",
        ids["elsewhere"]: "identity",
        ids["broken"]: "identity",
    }
    assert found[ids["other"]]["names"] == ids["well"]
    assert found[ids["elsewhere"]]["names"] == str(tmp_path / "nowhere")
    assert found[ids["gone"]]["path"] == str(tmp_path / "gone")
    assert again == first
    assert (await agent(WS, "list"))["total"] == len(names)


async def test_a_workspace_in_another_one_is_told_until_it_is_linked(agent: Agent, tmp_path: Path) -> None:
    outer = await registered(agent, tmp_path / "outer")
    inner = await registered(agent, tmp_path / "outer" / "inner", force=True)

    before = await agent(WS, "scan_ghosts")
    await agent(WS, "link", workspace_id=outer, child_workspace_id=inner)
    after = await agent(WS, "scan_ghosts")

    assert [(one["workspace_id"], one["kind"], one["around"]) for one in before["ghosts"]] == [
        (inner, "unlinked", outer)
    ]
    assert after["ghosts"] == []


async def test_many_ghosts_come_in_pages(agent: Agent, tmp_path: Path) -> None:
    ids = sorted([await registered(agent, tmp_path / f"{number}") for number in range(5)])
    for number in range(5):
        shutil.rmtree(tmp_path / f"{number}")

    page = await agent(WS, "scan_ghosts", limit=3)
    rest = await agent(WS, "scan_ghosts", limit=3, cursor=page["next_cursor"])

    assert [ghost["workspace_id"] for ghost in page["ghosts"] + rest["ghosts"]] == ids
    assert (page["total"], rest["total"], "next_cursor" in rest) == (5, 5, False)
    assert (await agent.fails(WS, "scan_ghosts", cursor="nonsense"))["code"] == "invalid_arguments"
