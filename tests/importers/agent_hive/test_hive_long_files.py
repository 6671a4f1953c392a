"""A file of completions that is too long to be read whole: line by line it comes to the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.importers import agent_hive
from server.importers.agent_hive import exchange
from server.importers.run import Options, known_to
from server.importers.taking import WHOLE_BYTES
from server.settings import Settings
from server.store import open_store
from tests.importers.agent_hive import hive_store
from tests.importers.agent_hive.hive_store import completion, lines
from tests.importers.conftest import Taker, everything

PATH = ".claude/agent_completions.jsonl"
TABLES = ("lineage", "quality_gates", "agents", "import_files", "import_rows")


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    made = hive_store.whole()
    made.files[PATH] = lines(*map(completion, range(700))) + b"no json\n[1]\n" + lines(completion(1), completion(701))
    made.files[f"new-worktrees/one/{PATH}"] = made.files[PATH]
    made.files[f"new-worktrees/two/{PATH}"] = lines(completion(1), completion(702))
    return made.write(tmp_path / "hive")


async def test_line_by_line_it_comes_to_the_same(
    take: Taker, hive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await take(hive)
    monkeypatch.setattr(exchange, "LONG", 0)
    db = await open_store(Settings(data_root=tmp_path / "other", synchronous="off"))
    other = Taker(Settings(data_root=tmp_path / "other", synchronous="off"), db)
    try:
        long = await other(hive)
        assert (long.files, long.rows, long.problems) == (whole.files, whole.rows, whole.problems)
        assert long.rows["lineage"] == {"new": whole.rows["lineage"]["new"]}
        query = (
            "SELECT path, status, sha256, reason, raw FROM import_files WHERE path LIKE '%completions%' ORDER BY path"
        )
        assert [tuple(row) for row in await db.all(query)] == [tuple(row) for row in await take.db.all(query)]
        query = "SELECT lineage_id, reason, data, external_id, created_at FROM lineage ORDER BY lineage_id"
        assert [tuple(row) for row in await db.all(query)] == [tuple(row) for row in await take.db.all(query)]
        assert set((await take(hive)).files) == {"unchanged"}
        assert (await take.verify(hive)).standing == "GREEN"
    finally:
        await other.store.close()
        await db.close()


def _many(count: int, **told: object) -> bytes:
    times = [f"2025-07-16T02:{n // 60 % 60:02d}:{n % 60:02d}" for n in range(count)]
    return lines(*({"agent_id": f"a{n % 7}", "timestamp": at, "number": n, **told} for n, at in enumerate(times)))


BY_LINE = {
    "coordination_protocols/coordination_log.json": _many(600, message="synced", severity="low"),
    "coordination_protocols/coordination_alerts.json": lines({"events": [{"message": "one"}, 2], "of": "day"}) * 2,
    "coordination_protocols/heartbeat_one.json": _many(30, status="working"),
    "message_bus/inboxes/qa.json": _many(40, content="look") + b"no json\n" + lines({"content": "again"}),
    ".claude/logs/notes.jsonl": _many(3, message="said"),
}


async def test_other_files_with_a_value_a_line_come_to_the_same(
    take: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hive_store.whole()
    made.files |= BY_LINE
    hive = made.write(tmp_path / "hive")
    whole = await take(hive)
    monkeypatch.setattr(exchange, "LONG", 0)
    monkeypatch.setattr(exchange, "SIZE", 50)
    db = await open_store(Settings(data_root=tmp_path / "other", synchronous="off"))
    other = Taker(Settings(data_root=tmp_path / "other", synchronous="off"), db)
    try:
        long = await other(hive)
        assert (long.files, long.rows, long.problems) == (whole.files, whole.rows, whole.problems)
        for table in ("messages", "event_log", "agents", "context_items"):
            which = "type <> 'imported'" if table == "event_log" else "true"
            query = f"SELECT * FROM {table} WHERE {which} ORDER BY 1"
            there, here = await db.all(query), await take.db.all(query)
            assert [_said(row) for row in there] == [_said(row) for row in here]
            assert there
        query = "SELECT path, status, sha256, reason, raw FROM import_files ORDER BY path"
        assert [tuple(row) for row in await db.all(query)] == [tuple(row) for row in await take.db.all(query)]
        assert (await other.verify(hive)).standing == "GREEN"
    finally:
        await other.store.close()
        await db.close()


def _said(row: Any) -> dict[str, object]:
    """Return what a row says, without the times of its import."""
    return {name: row[name] for name in row.keys() if name not in ("event_id", "created_at", "updated_at", "last_seen")}  # noqa: SIM118


async def test_lines_of_a_long_file_are_staged_some_at_a_time(
    take: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LONG", 0)
    made = hive_store.whole()
    made.files |= {"coordination_protocols/coordination_log.json": _many(4 * exchange.SIZE, message="synced")}
    source = agent_hive.recognise(made.write(tmp_path / "hive"))
    assert source
    batches = [len(one.rows) for one in agent_hive.read(source, await known_to(take.db, source, Options()))]
    assert (max(batches), batches.count(exchange.SIZE)) == (exchange.SIZE, 4)


async def test_one_that_is_too_large_for_memory_comes_in(take: Taker, tmp_path: Path) -> None:
    made = hive_store.whole()
    filler = completion(1) | {"notes": "x" * 1_000_000}
    made.files[PATH] = b"".join(lines(filler | {"number": number}) for number in range(WHOLE_BYTES // 1_000_000 + 2))
    report = await take(made.write(tmp_path / "hive"))

    assert not [one for one in report.findings if one.path == PATH and one.severity == "error"]
    assert (
        await take.db.value("SELECT count(*) FROM lineage WHERE length(data) > 1000000") == WHOLE_BYTES // 1_000_000 + 2
    )


async def test_a_secret_in_a_long_file_is_left_out(
    take: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LONG", 0)
    made = hive_store.whole()
    made.files[PATH] = lines(completion(1), completion(2) | {"api_key": "hush-hush-hush"})
    await take(made.write(tmp_path / "hive"))

    assert "hush-hush-hush" not in json.dumps(everything(take.db.path))
    assert await take.db.value("SELECT raw FROM import_files WHERE path = :path", {"path": PATH}) in (None, b"")
