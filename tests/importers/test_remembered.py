"""What an import remembers of a row: enough to tell what was changed since, and not the row once more."""

import json
from pathlib import Path
from typing import Any

from server.db.interchange.import_rows import LONG
from tests.importers.beads.generator import issue, write
from tests.importers.conftest import Taker

LONG_TEXT = "A long text about größere Dinge. " * 200


def put(project: Path, **more: Any) -> None:
    write(project / ".beads" / "issues.jsonl", [issue(1, **{"description": LONG_TEXT, **more}), issue(2)])


async def edited(take: Taker, notes: str) -> None:
    row = await take.db.one("SELECT step_id, version FROM steps WHERE external_id = 'bd-1'")
    assert row
    changed = {"action": "update", "step_id": row["step_id"], "notes": notes, "agent": "ada", "force": True}
    await take.ask("memory_steps", {name: value for name, value in changed.items() if name != "force"})


async def of_first(take: Taker) -> tuple[str, str]:
    row = await take.db.one("SELECT task, notes FROM steps WHERE external_id = 'bd-1'")
    assert row
    return row["task"], row["notes"]


async def test_long_texts_are_remembered_by_their_digest(take: Taker, tmp_path: Path) -> None:
    put(tmp_path, unknown={"deep": LONG_TEXT})
    await take(tmp_path)
    for row in await take.db.all("SELECT base FROM import_rows WHERE table_name = 'steps'"):
        base = json.loads(row["base"])
        assert all(len(str(base[name])) <= LONG for name in ("notes", "extra"))


async def test_a_long_text_that_was_edited_here_stays_and_one_that_was_not_follows_its_source(
    take: Taker, tmp_path: Path
) -> None:
    put(tmp_path)
    await take(tmp_path)
    put(tmp_path, description=LONG_TEXT + "More.")
    await take(tmp_path)
    assert (await of_first(take))[1] == LONG_TEXT + "More."
    await edited(take, LONG_TEXT + "Ours.")
    put(tmp_path, description=LONG_TEXT + "More.", title="Another title")
    report = await take(tmp_path)
    assert [one.what for one in report.findings if "stays" in one.what] == []
    assert await of_first(take) == ("Another title", LONG_TEXT + "Ours.")
    put(tmp_path, description=LONG_TEXT + "Theirs.", title="Another title")
    report = await take(tmp_path)
    assert [one.what for one in report.findings if "stays" in one.what] == [
        "notes changed here and in the database; the database's stays"
    ]
    assert (await of_first(take))[1] == LONG_TEXT + "Ours."


async def test_a_long_text_that_was_edited_keeps_its_row_when_it_leaves_the_file(take: Taker, tmp_path: Path) -> None:
    put(tmp_path)
    await take(tmp_path)
    await edited(take, LONG_TEXT + "Ours.")
    write(tmp_path / ".beads" / "issues.jsonl", [])
    await take(tmp_path)
    rows = await take.db.all("SELECT external_id FROM steps")
    assert "bd-1" in {row["external_id"] for row in rows}


async def test_what_was_remembered_as_a_whole_is_compared_as_before(take: Taker, tmp_path: Path) -> None:
    put(tmp_path)
    await take(tmp_path)
    rows = await take.db.all("SELECT * FROM steps")
    async with take.db.transaction() as tx:
        for row in rows:
            base = json.dumps({name: row[name] for name in row.keys() if name not in ("waits_for", "claimed_by")})  # noqa: SIM118
            sql = "UPDATE import_rows SET base = :base WHERE row_key = :key"
            await tx.run(sql, {"base": base, "key": row["step_id"]})
    await edited(take, LONG_TEXT + "Ours.")
    put(tmp_path, title="Another title")
    report = await take(tmp_path)
    assert [one.what for one in report.findings if "stays" in one.what] == []
    assert await of_first(take) == ("Another title", LONG_TEXT + "Ours.")
