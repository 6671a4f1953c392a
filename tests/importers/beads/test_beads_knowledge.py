"""What becomes of the decisions and memories of beads."""

from pathlib import Path

from server.db.search import identities
from tests.importers.beads.generator import store
from tests.importers.conftest import Taker


async def test_knowledge_is_found_by_its_id_there_and_never_empty(take: Taker, tmp_path: Path) -> None:
    store(tmp_path, 1)
    await take(tmp_path)
    found = {one: await identities.named(take.db, one) for one in ("bd-2c", "bd-2c.1")}
    assert {name: (one.kind, one.label) for name, one in found.items()} == {
        "bd-2c": ("knowledge", "Use JSON lines"),
        "bd-2c.1": ("knowledge", "No words"),
    }
    rows = {row["slug"]: row["content"] for row in await take.db.all("SELECT slug, content FROM knowledge")}
    assert rows["bd-2c-1"] == "## Comments\n\n- eve: Why so?"
    assert rows["memory-forgotten"] == "forgotten"
    assert all(rows.values())
