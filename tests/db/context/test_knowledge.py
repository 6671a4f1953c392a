"""Knowledge and research are looked up in indexes, however many there are."""

import pytest

from server.db.context import knowledge, research
from server.db.storage.connection import Database
from server.db.storage.driver import Params
from server.models.context import Parent

PARENT = Parent(parent_type="plan", parent_id="plan_1")


@pytest.fixture
def asked(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Params]]:
    """The statements that are run from here on."""
    statements: list[tuple[str, Params]] = []
    batch = db.batch

    async def noted(*more: tuple[str, Params]) -> object:
        statements.extend(more)
        return await batch(*more)

    monkeypatch.setattr(db, "batch", noted)
    return statements


async def test_no_lookup_scans_a_table(db: Database, asked: list[tuple[str, Params]]) -> None:
    await knowledge.find(db, "ws_1", "slug")
    await knowledge.count(db, "ws_1")
    await knowledge.list_(db, workspace_id="ws_1", limit=20)
    await research.find(db, PARENT, "a.md", workspace_id="ws_1")
    await research.list_(db, workspace_id="ws_1", limit=20)
    await research.list_(db, workspace_id="ws_1", parent=PARENT, limit=20)
    statements = list(asked)

    assert len(statements) == 9
    for sql, params in statements:
        steps = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {sql}", params)]
        assert not [step for step in steps if step.startswith(("SCAN knowledge", "SCAN research", "SCAN k", "SCAN o"))]
