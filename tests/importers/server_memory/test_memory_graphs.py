"""What becomes of the lines of a graph of server-memory."""

from pathlib import Path

import pytest

from server import importers
from server.db.search import identities
from server.errors import Conflict
from server.models.knowledge import MOST
from tests.importers.conftest import Taker
from tests.importers.server_memory.generator import entity, relation, write


async def knowledge(take: Taker) -> dict[str, str]:
    rows = await take.db.all("SELECT slug, content FROM knowledge")
    return {row["slug"]: row["content"] for row in rows}


async def test_a_relation_stands_with_both_ends(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "memory.jsonl", [entity("Ann", "person"), entity("Bob", "x"), relation("Ann", "Bob", "trusts")])
    await take(tmp_path)
    assert await knowledge(take) == {"ann": "## Relations\n\n- trusts Bob", "bob": "## Relations\n\n- Ann trusts this"}


async def test_a_torn_last_line_costs_that_line(take: Taker, tmp_path: Path) -> None:
    file = tmp_path / "graph.jsonl"
    write(file, [entity("Ann", "person", "reads"), entity("Bob", "person", "writes")])
    file.write_bytes(file.read_bytes()[:-9])
    report = await take(file)
    assert report.exit_code == 3
    assert list((await knowledge(take)).values()) == ["- reads"]
    assert [one.json_path for one in report.findings if one.severity == "error"] == ["line 2"]


async def test_names_that_read_alike_stay_apart_in_any_order(take: Taker, tmp_path: Path) -> None:
    values = [entity("a b", "x", "one"), entity("A B", "x", "two"), entity("a-b", "x", "three")]
    write(tmp_path / "memory.jsonl", values)
    await take(tmp_path)
    before = await knowledge(take)
    write(tmp_path / "memory.jsonl", values[::-1])
    await take(tmp_path)
    assert await knowledge(take) == before
    assert before["a-b"] == "- three"
    assert len(before) == 3


async def test_a_large_graph_is_found_and_read_whole_and_leaves_room_for_more(take: Taker, tmp_path: Path) -> None:
    number = MOST + 20
    relations = [relation(f"Entity {one}", "Entity 0", "knows") for one in range(1, number)]
    write(
        tmp_path / "memory.jsonl", [*(entity(f"Entity {one}", "x", f"sees {one}") for one in range(number)), *relations]
    )
    report = await take(tmp_path)
    own = {"workspace_id": report.parts[0].workspace_id}

    async def ask(action: str, **told: object) -> dict[str, object]:
        return await take.ask("memory_context", {"action": action, **own, **told})

    read = await ask("knowledge_get", slug="entity-0")
    assert [f"Entity {one} knows this" in str(read["content"]) for one in range(1, number)] == [True] * (number - 1)
    assert "entity-117" in str(await ask("search", query="sees 117"))
    assert (await ask("knowledge_list", limit=20))["total"] == number
    await ask("knowledge_store", slug="entity-7", title="Seven", content="Ours")
    await ask("knowledge_store", slug="newer", title="Newer", content="Ours", supersedes="entity-8")
    await ask("knowledge_store", slug="ours", title="Ours", content="Ours")
    assert (await ask("knowledge_list", limit=20))["total"] == number + 1


async def test_an_entity_is_found_by_its_name(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "memory.jsonl", [entity("Ann Smith", "person", "reads")])
    await take(tmp_path)
    found = [await identities.named(take.db, name) for name in ("Ann Smith", "ann-smith", "Ann_Smith")]
    assert [(one.kind, one.label) for one in found] == [("knowledge", "Ann Smith")] * 3


def test_files_of_others_are_not_claimed(tmp_path: Path) -> None:
    for name, text in (("memory.json", '{"type": "module"}'), ("memory.jsonl", '[1]\n{"a": 1}\n'), ("x.json", "{")):
        (tmp_path / name).write_text(text)
        assert importers.layout_of("server-memory").recognise(tmp_path / name) is None
    assert importers.layout_of("server-memory").recognise(tmp_path) is None


async def test_entries_in_the_place_of_imported_ones_are_counted(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "memory.jsonl", [entity(f"Entity {one}", "x", "is") for one in range(MOST + 2)])
    report = await take(tmp_path)
    own = {"action": "knowledge_store", "workspace_id": report.parts[0].workspace_id, "title": "T", "content": "c"}
    for one in range(MOST):
        await take.ask("memory_context", {**own, "slug": f"new-{one}", "supersedes": f"entity-{one}"})
    for supersedes in ({"supersedes": f"entity-{MOST}"}, {}):
        with pytest.raises(Conflict, match=f"has {MOST} current entries"):
            await take.ask("memory_context", {**own, "slug": "more", **supersedes})
    instead = await take.ask("memory_context", {**own, "slug": "more", "supersedes": "new-0"})
    assert instead["supersedes"] == "new-0"
    with pytest.raises(Conflict):
        await take.ask("memory_context", {**own, "slug": "again"})
