"""Which workspace holds a folder, and how workspaces are linked."""

import os
from pathlib import Path

import pytest

from server.db.storage.connection import Database
from server.db.workspaces import workspaces
from server.models.workspaces import GIT_PREFIX, Checkout
from server.tools.common import holding

GIT = "/srv/repo/.git"


async def insert(db: Database, path: str, **columns: object) -> str:
    async with db.transaction() as tx:
        return (await workspaces.insert(tx, path=path, name=Path(path).name, **columns)).workspace_id


def in_repo(root: str, prefix: str = "", common_dir: str = GIT) -> tuple[str, Checkout]:
    return os.path.join(root, prefix).rstrip("/"), Checkout(root, prefix, common_dir)  # noqa: PTH118 - plain text


async def held_by(db: Database, folder: str, checkout: Checkout | None = None) -> str | None:
    found = await workspaces.holding(db, folder, checkout)
    return found.path if found else None


async def test_the_deepest_folder_around_wins(db: Database) -> None:
    for path in ("/srv", "/srv/app", "/srv/app/web"):
        await insert(db, path)
    assert await held_by(db, "/srv/app/web/src/x.py") == "/srv/app/web"
    assert await held_by(db, "/srv/app") == "/srv/app"
    assert await held_by(db, "/srv/apple") == "/srv"
    assert await held_by(db, "/opt/app") is None


async def test_the_same_repository_goes_before_a_folder_around_it(db: Database) -> None:
    await insert(db, "/srv")
    await insert(db, "/srv/repo", git_common_dir=GIT)
    assert await held_by(db, *in_repo("/srv/feature")) == "/srv/repo"
    assert await held_by(db, *in_repo("/srv/feature", "src/deep")) == "/srv/repo"
    assert await held_by(db, *in_repo("/srv/other", common_dir="/srv/other/.git")) == "/srv"


async def test_the_own_working_tree_goes_before_another_one_of_the_repository(db: Database) -> None:
    await insert(db, "/srv/repo", git_common_dir=GIT)
    await insert(db, "/srv/feature/web", git_common_dir=GIT, meta={GIT_PREFIX: "web"})
    assert await held_by(db, *in_repo("/srv/feature", "web/src")) == "/srv/feature/web"
    assert await held_by(db, *in_repo("/srv/feature", "api")) == "/srv/repo"
    assert await held_by(db, *in_repo("/srv/third", "web")) == "/srv/feature/web"


async def test_a_package_of_a_repository_does_not_hold_its_neighbours(db: Database) -> None:
    await insert(db, "/srv/repo/web", git_common_dir=GIT, meta={GIT_PREFIX: "web"})
    assert await held_by(db, *in_repo("/srv/repo", "api")) is None
    assert await held_by(db, *in_repo("/srv/repo")) is None
    assert await held_by(db, *in_repo("/srv/feature", "website")) is None


async def test_the_older_of_two_equally_near_workspaces_wins(db: Database) -> None:
    for path in ("/srv/one", "/srv/two"):
        await insert(db, path, git_common_dir=GIT)
    assert await held_by(db, *in_repo("/srv/three")) == "/srv/one"


async def test_a_folder_is_looked_up_in_indexes(db: Database) -> None:
    params = {"paths": "[]", "former": "[]", "common_dir": GIT}
    plan = await db.all("EXPLAIN QUERY PLAN " + workspaces.NEAR, params)
    assert not [row["detail"] for row in plan if row["detail"].startswith(("SCAN w", "SCAN a"))]


async def test_a_path_is_spelled_anew_before_it_is_looked_up(db: Database, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    workspace_id = await insert(db, str(tmp_path / "real"))
    found = await holding(db, tmp_path / "link" / "src")
    assert found is not None
    assert found.workspace_id == workspace_id


async def test_folders_below_are_told_from_neighbours(db: Database) -> None:
    for path in ("/srv/app", "/srv/app/web", "/srv/app/web/ui", "/srv/app-old", "/srv/app.d", "/srv/apple"):
        await insert(db, path)
    assert [w.path for w in await workspaces.below(db, "/srv/app")] == ["/srv/app/web", "/srv/app/web/ui"]
    assert await workspaces.below(db, "/srv/app/web/ui") == []


async def test_an_alias_finds_its_workspace_and_an_unknown_id_none(db: Database) -> None:
    workspace_id = await insert(db, "/srv/app")
    async with db.transaction() as tx:
        await tx.run("INSERT INTO workspace_aliases VALUES ('old-1', :id, 'now', 'id')", {"id": workspace_id})
    assert (await workspaces.require(db, "old-1")).workspace_id == workspace_id
    assert await workspaces.aliases(db, workspace_id) == ["old-1"]
    assert await workspaces.find(db, "old-2") is None


async def test_the_line_of_parents_and_the_tree_below(db: Database) -> None:
    top = await insert(db, "/srv/top")
    middle = await insert(db, "/srv/middle", parent_workspace_id=top)
    low = await insert(db, "/srv/low", parent_workspace_id=middle)
    other = await insert(db, "/srv/other", parent_workspace_id=top)
    assert await workspaces.above(db, low) == [middle, top]
    assert await workspaces.above(db, top) == []
    assert [w.workspace_id for w in await workspaces.descendants(db, [top])] == [low, middle, other]
    assert [w.workspace_id for w in await workspaces.descendants(db, [middle, other])] == [low]
    rows, total = await workspaces.page(db, under=middle, roots=False, after=None, limit=10)
    assert ([w.workspace_id for w in rows], total) == ([low, middle], 2)


@pytest.mark.parametrize(("roots", "expected"), [(False, ["a", "b", "c"]), (True, ["b", "c"])])
async def test_a_page_is_ordered_by_what_people_call_a_workspace(
    db: Database, roots: bool, expected: list[str]
) -> None:
    parent = await insert(db, "/srv/zebra", display_name="b")
    await insert(db, "/srv/a", parent_workspace_id=parent)
    await insert(db, "/srv/c")
    rows, total = await workspaces.page(db, under=None, roots=roots, after=None, limit=10)
    assert ([w.name for w in rows], total) == (expected, len(expected))
    rest, _ = await workspaces.page(db, under=None, roots=roots, after=[rows[0].name, rows[0].workspace_id], limit=10)
    assert [w.name for w in rest] == expected[1:]
