"""Events of files and of logs: each once, and a line for what is broken or says otherwise."""

import json
from pathlib import Path

from server.db.interchange.import_writing import ENTRIES
from server.db.storage.connection import Database
from tests import legacy_store
from tests.importers.conftest import Taker
from tests.legacy_store import Files, Json


def event(event_id: str, **more: object) -> Json:
    found = {"id": event_id, "type": "t", "timestamp": "2026-01-05T09:00:00.000Z", "data": {"of": event_id}}
    return found | {"workspace_id": legacy_store.WORKSPACE} | more


def line(event_id: str, **more: object) -> bytes:
    return json.dumps(event(event_id, **more)).encode()


async def test_an_event_in_several_places_is_one(take: Taker, db: Database, root: Path) -> None:
    files: Files = {
        "events/evt_a.json": line("evt_a"),
        "events/evt_b.json": line("evt_b", type="other"),
        "events/events.log": b"\n".join([line("evt_a"), line("evt_b"), line("evt_c"), line("evt_c"), b"", b"broken"]),
        "events/events.log.1": b"\xef\xbb\xbf" + line("evt_d") + b"\r\n" + line("evt_c", data={"of": "another"}),
    }
    for path in (root / "events").iterdir():
        path.unlink()
    report = await take(legacy_store.put(root, files))

    rows = await db.all(
        "SELECT data ->> 'legacy_id' AS id, count(*) AS n FROM event_log WHERE id IS NOT NULL GROUP BY 1"
    )
    assert {row["id"]: row["n"] for row in rows} == {"evt_a": 1, "evt_b": 1, "evt_c": 1, "evt_d": 1}
    told = {(f.path, f.json_path, f.severity) for f in report.findings if f.path.startswith("events/")}
    assert told == {
        ("events/events.log", "line 6", "error"),
        ("events/events.log.1", "line 2", "warning"),
        ("events/evt_b.json", "$", "warning"),
    }
    assert set((await take(root)).files) == {"unchanged"}


async def _remembered(db: Database) -> list[list[str]]:
    rows = await db.all("SELECT base FROM import_rows WHERE table_name = 'event_log' ORDER BY row_key")
    return [json.loads(row["base"]) for row in rows]


async def test_what_is_remembered_of_a_long_log_is_in_parts(take: Taker, db: Database, root: Path) -> None:
    log = root / "events" / "events.log"
    log.write_bytes(b"".join(line(f"evt_{number}") + b"\n" for number in range(2 * ENTRIES)))
    await take(root)
    parts = await _remembered(db)
    assert len(parts) > 2
    assert max(map(len, parts)) <= ENTRIES
    assert len({entry for part in parts for entry in part}) == sum(map(len, parts))
    with log.open("ab") as file:
        file.write(line("evt_new") + b"\n")
    assert (await take(root)).rows["event_log"]["new"] == 1
    assert sum(map(len, await _remembered(db))) == sum(map(len, parts)) + 1
    log.write_bytes(log.read_bytes() + b"\n")
    assert "new" not in (await take(root)).rows["event_log"]


async def test_what_was_remembered_as_a_whole_is_still_known(take: Taker, db: Database, root: Path) -> None:
    await take(root)
    rows = await db.all("SELECT base, workspace_id FROM import_rows WHERE table_name = 'event_log'")
    async with db.transaction() as tx:
        await tx.run("DELETE FROM import_rows WHERE table_name = 'event_log'")
        for row in rows:
            whole = {"key": row["workspace_id"] or "", "base": row["base"], "workspace": row["workspace_id"]}
            await tx.run(
                "INSERT INTO import_rows (table_name, row_key, workspace_id, path, base, updated_at) "
                "VALUES ('event_log', :key, :workspace, '', :base, '2026-01-01T00:00:00.000Z')",
                whole,
            )
        await tx.run("UPDATE event_log SET entity_id = entity_id || '!'")  # so that they are known by this alone
    log = root / "events" / "events.log"
    log.write_bytes((log.read_bytes() if log.is_file() else b"") + line("evt_new") + b"\n")
    assert (await take(root)).rows["event_log"]["new"] == 1
