"""What list, tree, search and discover_codebase leave out of a project, and where they stop."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

FILES = "memory_filesystem"
VENDORED = ("node_modules", ".git", "dist", "build", "__pycache__", ".next")
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list", {"path": ".", "recursive": True, "limit": 200}),
    ("tree", {"max_depth": 10}),
    ("search", {"pattern": "*.py", "limit": 200}),
    ("search", {"query": "lighthouse", "limit": 200}),
    ("discover_codebase", {"prompt_text": "lighthouse", "limit": 100}),
)


@pytest.fixture
def where(workspace_id: str) -> dict[str, str]:
    return {"workspace_id": workspace_id}


def put(project: Path, path: str, text: str = "lighthouse = 1\n") -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("action", "arguments"), CALLS)
async def test_what_tools_put_into_a_project_is_left_out_at_every_depth(
    agent: Agent, where: dict[str, str], project: Path, action: str, arguments: dict[str, Any]
) -> None:
    for folder in VENDORED:
        put(project, f"{folder}/found.py")
        put(project, f"src/deep/{folder}/found.py")
    put(project, "src/deep/kept.py")
    told = str(await agent(FILES, action, **where, **arguments))

    assert "kept.py" in told
    assert "found.py" not in told
    if action != "tree":
        assert "src/deep/kept.py" in told


async def test_a_tree_goes_ten_folders_deep_and_no_deeper(agent: Agent, where: dict[str, str], project: Path) -> None:
    put(project, "/".join(f"d{number}" for number in range(12)) + "/bottom.py")
    deepest = await agent(FILES, "tree", **where, max_depth=10)
    usual = await agent(FILES, "tree", **where)

    assert [line.strip() for line in deepest["tree"].split("\n")] == [f"d{number}/" for number in range(10)]
    assert [line.strip() for line in usual["tree"].split("\n")] == ["d0/", "d1/", "d2/"]
    error = await agent.fails(FILES, "tree", **where, max_depth=11)
    assert (error["code"], error["invalid"][0]["param"]) == ("invalid_arguments", "max_depth")


async def test_a_tree_of_too_many_entries_says_that_there_are_more(
    agent: Agent, where: dict[str, str], project: Path
) -> None:
    for number in range(600):
        put(project, f"many/{number:04}.py", "")
    told = await agent(FILES, "tree", **where, max_bytes=45_000)

    assert told["cut"] is True
    assert len(told["tree"].split("\n")) == told["total_entries"] == 500
    assert "max_depth" in told["warning"]


async def test_a_list_and_a_search_go_on_until_all_was_told(agent: Agent, where: dict[str, str], project: Path) -> None:
    for number in range(230):
        put(project, f"many/{number:04}.py", "")
    for action, key, arguments in (
        ("list", "entries", {"path": "many"}),
        ("search", "matches", {"pattern": "*.py"}),
    ):
        page = await agent(FILES, action, **where, **arguments, limit=200, max_bytes=45_000)
        rest = await agent(FILES, action, **where, **arguments, limit=200, cursor=page["next_cursor"])
        assert (len(page[key]), len(rest[key]), page["total"]) == (200, 30, 230)
        assert (await agent.fails(FILES, action, **where, **arguments, limit=201))["code"] == "invalid_arguments"
