"""What becomes of the memories of mcp-memory-service."""

import json
from pathlib import Path

from server import importers
from server.db.search import identities
from tests.importers.conftest import Taker
from tests.importers.mcp_memory_service.generator import export, memory, write


async def test_a_memory_is_a_fact_with_its_tags_type_and_times(take: Taker, tmp_path: Path) -> None:
    told = memory("Use tabs", tags=["style"], metadata={"agent_id": "ann"}, embedding=[1.5])
    write(tmp_path / "dump.json", export([told], "2026-01-01"))
    await take(tmp_path / "dump.json")
    row = await take.db.one("SELECT * FROM memory_entries WHERE namespace = 'memories'")
    assert row
    del told["embedding"]
    assert json.loads(row["value"]) == told
    assert (row["key"], row["created_by"]) == (told["content_hash"], "ann")
    assert (row["created_at"], row["updated_at"]) == ("2025-02-19T21:20:00.250Z", "2025-02-19T21:21:00.250Z")
    workspace = {"workspace_id": row["workspace_id"]}
    recalled = await take.ask("memory_context", {"action": "recall", **workspace, "namespace": "memories"})
    assert "Use tabs" in json.dumps(recalled)
    assert (await identities.named(take.db, told["content_hash"])).id == row["entry_id"]


async def test_exports_of_one_store_go_to_one_workspace_and_of_two_to_two(take: Taker, tmp_path: Path) -> None:
    for name, machine, content in (("a", "laptop", "One"), ("b", "laptop", "Two"), ("c", "tower", "Three")):
        write(tmp_path / f"{name}.json", export([memory(content)], "2026-01-01", source_machine=machine))
        await take(tmp_path / f"{name}.json")
    rows = await take.db.all(
        "SELECT count(*) AS n FROM memory_entries WHERE namespace = 'memories' GROUP BY workspace_id"
    )
    assert sorted(row["n"] for row in rows) == [1, 2]


def test_files_of_others_are_not_exports(tmp_path: Path) -> None:
    for number, text in enumerate(('{"memories": []}', '{"a": {"export_metadata": {}}}', "{", "[]", "")):
        (tmp_path / f"export-{number}.json").write_text(text)
        assert importers.layout_of("mcp-memory-service").recognise(tmp_path / f"export-{number}.json") is None
    assert importers.layout_of("mcp-memory-service").recognise(tmp_path) is None


async def test_an_export_of_the_dashboard_beside_another_doubles_nothing(take: Taker, tmp_path: Path) -> None:
    told = memory("Use tabs")
    write(tmp_path / "memories_export.json", export([told], "2026-01-01"))
    await take(tmp_path)
    dashboard = {"export_date": "2026-02-01", "total_memories": 2, "memories": [told, memory("Use spaces")]}
    write(tmp_path / "memories_dashboard.json", dashboard)
    await take(tmp_path)
    assert await take.db.value("SELECT count(*) FROM workspaces") == 1
    assert await take.db.value("SELECT count(*) FROM memory_entries WHERE namespace = 'memories'") == 2
