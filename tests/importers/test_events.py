"""Events of files and of logs: each once, and a line for what is broken or says otherwise."""

import json
from pathlib import Path

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
