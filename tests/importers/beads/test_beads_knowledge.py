"""What becomes of the decisions and memories of beads."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.db.search import identities
from tests.importers.beads.generator import store
from tests.importers.conftest import Taker


def written(project: Path, lines: list[dict[str, Any]]) -> None:
    file = project / ".beads" / "issues.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


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


async def test_what_reads_alike_is_told_apart(take: Taker, tmp_path: Path) -> None:
    keys = ("max retries", "max-retries", "Max Retries!", "other")
    memories = [{"_type": "memory", "key": key, "value": f"of {key}"} for key in keys]
    decided = [{"id": name, "title": name, "issue_type": "decision", "status": "open"} for name in ("bd-1.2", "bd-1-2")]
    written(tmp_path, [*memories, *decided])
    report = await take(tmp_path)

    assert (report.exit_code, report.differences) == (0, [])
    rows = await take.db.all("SELECT slug, title FROM knowledge")
    slugs = {row["title"]: row["slug"] for row in rows}
    assert slugs.keys() == {*keys, "bd-1.2", "bd-1-2"}
    readable = ("max-retries", "other", "bd-1-2")
    assert [slugs[name] for name in readable] == ["memory-max-retries", "memory-other", "bd-1-2"]
    written(tmp_path, [*memories, *decided, {"_type": "memory", "key": "Other", "value": "later"}])
    assert (await take(tmp_path)).exit_code == 0
    assert await take.db.value("SELECT count(*) FROM knowledge") == 7
    assert (await take.verify(tmp_path)).standing == "GREEN"


@pytest.mark.parametrize("value", [0, False, [], {}, 1.5, "0", None, ""])
async def test_a_memory_says_what_its_value_says(take: Taker, tmp_path: Path, value: object) -> None:
    about = {"created_at": "2025-03-01T10:00:00Z", "author": "ann", "source": {"line": 0}}
    written(tmp_path, [{"_type": "memory", "key": "retries", "value": value, **about}])
    await take(tmp_path)
    row = await take.db.one("SELECT * FROM knowledge")
    assert row
    assert row["content"] == ("retries" if value in (None, "") else value if value == "0" else json.dumps(value))
    assert (row["created_by_agent"], row["created_at"]) == ("ann", "2025-03-01T10:00:00.000Z")
    assert json.loads(row["extra"])["beads"]["source"] == {"line": 0}
