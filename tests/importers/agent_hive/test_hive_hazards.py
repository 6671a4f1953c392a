"""What the real files of hives have wrong costs one line of the report each, and nothing of what is around it."""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from server.db.storage.connection import Database
from server.importers.report import PROBLEMS
from server.models.imports import Finding
from tests.importers.agent_hive import hive_store
from tests.importers.agent_hive.hive_store import HiveStore, completion, dump, lines, snapshot
from tests.importers.conftest import Taker

SNAPSHOT = ".claude/memory/LATEST_MEMORY_SNAPSHOT.json"
INBOX = "message_bus/inboxes/pm.json"
ALERTS = "coordination_protocols/coordination_alerts.json"


def store(**files: bytes) -> HiveStore:
    """Return a store with one snapshot, so that it is one, and these files."""
    made = HiveStore()
    made.json(SNAPSHOT, snapshot())
    made.files.update({path.replace("__", "/"): data for path, data in files.items()})
    return made


def with_file(path: str, data: bytes) -> HiveStore:
    made = store()
    made.files[path] = data
    return made


def errors(findings: Iterable[Finding], path: str) -> list[Finding]:
    return [one for one in findings if one.severity == "error" and one.path == path]


async def statuses(db: Database) -> dict[str, str]:
    return {row["path"]: row["status"] for row in await db.all("SELECT path, status FROM import_files")}


async def raw(db: Database, path: str) -> bytes:
    found = await db.value("SELECT raw FROM import_files WHERE path = :path", {"path": path})
    return zlib.decompress(found)


async def test_json_that_is_cut_off_fails_alone_and_its_bytes_are_kept(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    broken = dump(completion(1))[:-20]
    root = with_file(".claude/checkpoints/checkpoint_1.json", broken).write(tmp_path / "hive")
    report = await take(root)

    assert report.exit_code == PROBLEMS
    assert len(errors(report.findings, ".claude/checkpoints/checkpoint_1.json")) == 1
    assert (await statuses(db))[".claude/checkpoints/checkpoint_1.json"] == "failed"
    assert await raw(db, ".claude/checkpoints/checkpoint_1.json") == broken
    assert await db.value("SELECT count(*) FROM checkpoints") == 1


async def test_a_broken_line_costs_itself_alone(take: Taker, db: Database, tmp_path: Path) -> None:
    data = lines(completion(1)) + b'{"agent_id": "cut\n' + lines(completion(2))
    report = await take(with_file(".claude/agent_completions.jsonl", data).write(tmp_path / "hive"))

    found = errors(report.findings, ".claude/agent_completions.jsonl")
    assert [one.json_path for one in found] == ["line 2"]
    assert await db.value("SELECT count(*) FROM lineage") == 2


async def test_control_characters_and_keys_that_stand_twice_are_told(take: Taker, db: Database, tmp_path: Path) -> None:
    made = with_file(INBOX, b'[{"id": "1", "from": "a", "content": "tab\there"}]')
    made.files["message_bus/inboxes/qa.json"] = b'[{"id": "2", "id": "3", "from": "a", "content": "x"}]'
    report = await take(made.write(tmp_path / "hive"))

    assert {one.path for one in report.findings if one.severity == "warning"} >= {INBOX, "message_bus/inboxes/qa.json"}
    found = await db.all("SELECT to_agent, content, external_id FROM messages ORDER BY to_agent")
    assert [tuple(row) for row in found] == [("pm", "tab\there", "1"), ("qa", "x", "3")]


async def test_lines_and_concatenated_objects_come_in_whatever_the_file_is_called(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    events = [{"event_id": f"e-{n}", "event_type": "alert", "message": f"m {n}"} for n in range(4)]
    made = with_file(ALERTS, lines(*events[:2]))
    made.files["coordination_protocols/more_alerts.json"] = dump(events[2]) + b"\n" + dump(events[3])
    made.files[".claude/agent_completions.jsonl"] = dump(completion(1)) + dump(completion(2))
    report = await take(made.write(tmp_path / "hive"))

    assert [one for one in report.findings if one.severity == "error"] == []
    found = await db.all("SELECT message FROM event_log WHERE type = 'alert' ORDER BY message")
    assert [row["message"] for row in found] == ["m 0", "m 1", "m 2", "m 3"]
    assert await db.value("SELECT count(*) FROM lineage") == 2


async def test_empty_files_are_no_fault(take: Taker, db: Database, tmp_path: Path) -> None:
    made = with_file(".claude/agent_completions.jsonl", b"")
    made.files[".claude/logs/empty.log"] = b""
    made.files[INBOX] = b""
    report = await take(made.write(tmp_path / "hive"))

    assert [one for one in report.findings if one.severity == "error"] == []
    assert set((await statuses(db)).values()) == {"imported"}


async def test_times_in_every_dress_are_read_and_kept_as_they_were(take: Taker, db: Database, tmp_path: Path) -> None:
    told = {
        "2025-07-16T16:43:12.123Z": "2025-07-16T16:43:12.123Z",
        "2025-07-16T16:43:12.1": "2025-07-16T16:43:12.100Z",
        "2025-07-16 16:43:12": "2025-07-16T16:43:12.000Z",
        "2025-07-16T16:43:12+0200": "2025-07-16T14:43:12.000Z",
        "2025-07-16": "2025-07-16T00:00:00.000Z",
        1752684192.5: "2025-07-16T16:43:12.500Z",
    }
    inbox = [{"id": str(n), "content": "x", "timestamp": at} for n, at in enumerate(told)]
    await take(with_file(INBOX, dump(inbox)).write(tmp_path / "hive"))

    found = await db.all("SELECT created_at, extra FROM messages ORDER BY CAST(external_id AS INTEGER)")
    assert [row["created_at"] for row in found] == list(told.values())
    kept = [json.loads(row["extra"]).get("agent-hive", {}).get("timestamp") for row in found]
    assert kept[1:] == list(told)[1:]


async def test_words_outside_of_every_list_and_fields_of_several_types_are_mapped_and_kept(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    made = store()
    for number, (priority, status) in enumerate(
        [("1.1", "weird"), (0, "spawned"), ("high", "completed"), (None, None)]
    ):
        agent = hive_store.agent(f"a-{number}", "x") | {"priority": priority, "status": status}
        made.json(f".claude/agents/a-{number}.json", agent)
    await take(made.write(tmp_path / "hive"))

    rows = await db.all("SELECT priority, status, extra FROM steps ORDER BY external_id")
    assert [(row["priority"], row["status"]) for row in rows] == [
        ("critical", "pending"), ("critical", "active"), ("high", "done"), (None, "pending"),
    ]  # fmt: skip
    kept: list[dict[str, Any]] = [json.loads(row["extra"])["agent-hive"] for row in rows]
    assert [one.get("priority", "taken") for one in kept] == ["1.1", 0, "taken", None]
    assert [one.get("status", "taken") for one in kept] == ["weird", "spawned", "completed", None]


async def test_what_python_printed_of_its_own_values_stays_text(take: Taker, db: Database, tmp_path: Path) -> None:
    value = {"checkpoint_id": "c", "checkpoint_type": "CheckpointType.MANUAL", "capabilities": "set()", "path": "C:\\x"}
    await take(with_file(".claude/checkpoints/checkpoint_1.json", dump(value)).write(tmp_path / "hive"))

    data = await db.value("SELECT data FROM checkpoints WHERE external_id = 'c'")
    assert json.loads(data) == value


async def test_a_log_of_a_megabyte_and_a_value_of_200_kilobytes_come_in_whole(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    line = json.dumps({"timestamp": "2025-07-16T16:43:12Z", "level": "INFO", "message": "x" * 400})
    made = with_file(".claude/logs/errors.log", "\n".join([line] * 2303).encode())
    made.json(".claude/checkpoints/checkpoint_big.json", {"checkpoint_id": "big", "tasks": ["ü" * 100] * 2000})
    await take(made.write(tmp_path / "hive"))

    assert await db.value("SELECT count(*) FROM event_log WHERE source = '.claude/logs/errors.log'") == 2303
    data = await db.value("SELECT data FROM checkpoints WHERE external_id = 'big'")
    assert json.loads(data)["tasks"] == ["ü" * 100] * 2000


async def test_a_copy_doubles_nothing_whether_it_is_a_backup_or_in_a_worktree(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    alone = await take(hive_store.whole().write(tmp_path / "alone"))
    counts = {table: sum(by.values()) for table, by in alone.rows.items()}
    made = hive_store.whole()
    copied = {path: data for path, data in made.files.items() if not path.startswith("memory_snapshots")}
    for path, data in copied.items():
        made.files[f"new-worktrees/pm-1/{path}"] = data
    for path in (SNAPSHOT, "BACKLOG.md", INBOX.replace("pm", "frontend-1")):
        made.files[f"{path}.bak"] = copied[path]
    made.files[".claude/memory_backup/LATEST_MEMORY_SNAPSHOT.json"] = copied[SNAPSHOT]

    report = await take(made.write(tmp_path / "copied"))

    assert [one for one in report.findings if one.severity == "error"] == []
    assert {table: sum(by.values()) for table, by in report.rows.items()} == counts
    assert report.files["duplicate"] >= len(copied)


async def test_a_copy_that_says_more_adds_what_is_new_and_changes_nothing(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    made = hive_store.whole()
    inner = ".claude/agent_completions.jsonl"
    made.files[f"new-worktrees/pm-1/{inner}"] = made.files[inner] + lines(completion(7))
    log = ".claude/logs/leanvibe.log"
    made.files[f"new-worktrees/pm-1/{log}"] = made.files[log] + b"2025-07-19 10:00:00 [INFO] a: only here\n"
    made.files["new-worktrees/pm-1/BACKLOG.md"] = made.files["BACKLOG.md"].replace(b"- [ ]", b"- [x]")
    agent = hive_store.agent("frontend-1", "active")
    made.json("new-worktrees/pm-1/.claude/agents/frontend-1.json", agent)
    await take(made.write(tmp_path / "hive"))

    assert await db.value("SELECT count(*) FROM lineage") == 4
    assert await db.value("SELECT count(*) FROM event_log WHERE type = 'log'") == hive_store.LOG_ENTRIES + 1
    done = await db.value(
        "SELECT count(*) FROM steps s JOIN plans p USING (plan_id) "
        "WHERE p.external_id = 'BACKLOG.md' AND s.status = 'done'"
    )
    assert done == 2
    assert await db.value("SELECT status FROM steps WHERE external_id = 'frontend-1'") == "done"
    assert await db.value("SELECT count(*) FROM context_items WHERE type LIKE 'new-worktrees/%'") == 1


async def test_a_database_that_is_damaged_brings_no_row_and_fails(take: Taker, db: Database, tmp_path: Path) -> None:
    root = store().write(tmp_path / "hive")
    rows = [(f"e-{n}", None, "x", "info", "m" * 500, None, None, None) for n in range(400)]
    hive_store.made(root / "agent_hive.db", {"events": (hive_store.TABLES["events"], rows)})
    data = bytearray((root / "agent_hive.db").read_bytes())
    data[4096 * 20 : 4096 * 30] = b"\xff" * 4096 * 10
    (root / "agent_hive.db").write_bytes(bytes(data))
    report = await take(root)

    assert (await statuses(db))["agent_hive.db"] == "failed"
    assert len(errors(report.findings, "agent_hive.db")) == 1
    assert await db.value("SELECT count(*) FROM event_log WHERE source = 'agent_hive.db'") == 0
    assert report.exit_code == PROBLEMS


async def test_a_file_that_only_says_that_it_is_a_database_fails_alone(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    report = await take(with_file(".claude/state.db", b"no database").write(tmp_path / "hive"))
    assert (await statuses(db)) == {SNAPSHOT: "imported", ".claude/state.db": "failed"}
    assert len(errors(report.findings, ".claude/state.db")) == 1


async def test_a_table_that_is_not_known_is_kept_whole_and_told(take: Taker, db: Database, tmp_path: Path) -> None:
    root = store().write(tmp_path / "hive")
    rows = [(n, "ü", None, b"\x00\xff") for n in range(1200)]
    hive_store.made(root / ".claude" / "state.db", {"odd one": ("a INTEGER, b TEXT, c REAL, d BLOB", rows)})
    report = await take(root)

    told = [one for one in report.findings if one.path == ".claude/state.db"]
    assert [(one.severity, one.json_path) for one in told] == [("warning", "odd one")]
    assert "1200 rows" in told[0].what
    items = await db.all("SELECT data FROM context_items WHERE type LIKE 'databases/%' ORDER BY created_at, type")
    kept = [row for item in items for row in json.loads(item["data"])["rows"]]
    assert sorted(row["a"] for row in kept) == list(range(1200))
    assert kept[0] | {"a": 0} == {"a": 0, "b": "ü", "c": None, "d": {"base64": "AP8="}}


async def test_a_snapshot_whose_file_is_missing_is_an_error_and_its_row_is_kept(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    made = hive_store.whole()
    del made.files["memory_snapshots/snap-1.json"]
    report = await take(made.write(tmp_path / "hive"))

    (error,) = errors(report.findings, "agent_hive.db")
    assert "missing" in error.what
    assert await db.value("SELECT count(*) FROM checkpoints WHERE external_id = 'snap-1'") == 0
    kept = await db.value("SELECT data FROM context_items WHERE type = 'databases/agent_hive.db/memory_snapshots'")
    assert json.loads(kept)["rows"][0]["snapshot_id"] == "snap-1"


async def test_a_snapshot_whose_file_holds_something_else_is_told(take: Taker, tmp_path: Path) -> None:
    root = hive_store.whole().write(tmp_path / "hive")
    with closing(sqlite3.connect(root / "agent_hive.db")) as file, file:
        file.execute("UPDATE memory_snapshots SET content_hash = 'another'")
    report = await take(root)
    assert ["hash" in one.what for one in errors(report.findings, "agent_hive.db")] == [True]


async def test_the_same_content_is_kept_once(take: Taker, db: Database, tmp_path: Path) -> None:
    made = with_file(".claude/memory/SECOND_SNAPSHOT.json", json.dumps(snapshot()).encode())
    made.json(".claude/memory/THIRD_SNAPSHOT.json", snapshot("critical"))
    await take(made.write(tmp_path / "hive"))

    assert await db.value("SELECT count(*) FROM checkpoints") == 2
    assert sorted((await statuses(db)).values()) == ["duplicate", "imported", "imported"]


async def test_secrets_in_configuration_are_left_out_with_the_bytes_of_their_file(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    made = with_file(".claude/settings.yaml", b"slack:\n  api_token: xoxb-1234567890-abcdef\n  channel: '#hive'\n")
    made.json(".claude/accountability_config.json", {"github": {"password": "hunter2"}, "limit": 3})
    root = made.write(tmp_path / "hive")
    rows = [("cf-1", None, "slack", "api", '{"token": "abcdefgh"}', None, None)]
    hive_store.made(root / "agent_hive.db", {"configurations": (hive_store.TABLES["configurations"], rows)})
    await take(root)

    assert b"hunter2" not in db.path.read_bytes()
    dumped = "\n".join(str(dict(row)) for row in await db.all("SELECT * FROM memory_entries"))
    assert "#hive" in dumped
    for secret in ("xoxb", "hunter2", "abcdefgh"):
        assert secret not in dumped
    for path in (".claude/settings.yaml", ".claude/accountability_config.json", "agent_hive.db"):
        assert not await db.value("SELECT raw FROM import_files WHERE path = :path", {"path": path})


async def test_links_are_told_and_never_followed(take: Taker, db: Database, tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text('{"agent_id": "outsider", "task": "x"}', encoding="utf-8")
    root = store().write(tmp_path / "hive")
    (root / ".claude" / "agents").mkdir()
    (root / ".claude" / "agents" / "out.json").symlink_to(tmp_path / "outside.json")
    (root / ".claude" / "logs").symlink_to(tmp_path)
    await take(root)

    found = await statuses(db)
    assert found[".claude/agents/out.json"] == found[".claude/logs"] == "skipped"
    assert await db.value("SELECT count(*) FROM steps") == 0


async def test_a_time_in_the_future_does_not_move_the_clock(take: Taker, db: Database, tmp_path: Path) -> None:
    log = b"2999-07-19 09:22:46 [INFO] a: far away\n"
    await take(with_file(".claude/logs/a.log", log).write(tmp_path / "hive"))

    row = await db.one("SELECT timestamp, data FROM event_log WHERE type = 'log'")
    assert row is not None
    assert row["timestamp"] < "2999"
    assert json.loads(row["data"])["time"].startswith("2999")


async def test_a_sound_checksum_is_silent_and_a_wrong_one_is_told(take: Taker, tmp_path: Path) -> None:
    text = json.dumps(snapshot(), sort_keys=True, separators=(",", ":"))
    sound = hashlib.sha256(text.encode()).hexdigest()
    made = with_file(".claude/memory/GOOD_SNAPSHOT.json", dump(snapshot() | {"_checksum": sound}))
    made.json(".claude/memory/BAD_SNAPSHOT.json", snapshot("critical") | {"_checksum": sound})
    report = await take(made.write(tmp_path / "hive"))

    told = [one.path for one in report.findings if "checksum" in one.what]
    assert told == [".claude/memory/BAD_SNAPSHOT.json"]


async def test_knowledge_whose_files_read_alike_is_told_apart(take: Taker, db: Database, tmp_path: Path) -> None:
    made = with_file(".claude/memory/ESSENTIAL_WORKFLOW_KNOWLEDGE.md", b"# How we work\n")
    folder = made.write(tmp_path / "hive")
    await take(folder)
    assert await db.value("SELECT slug FROM knowledge") == "essential-workflow-knowledge"
    others = (".claude/memory/ESSENTIAL_WORKFLOW-KNOWLEDGE.md", "memory-bank/ESSENTIAL_WORKFLOW_KNOWLEDGE.md")
    for path in others:
        made.files[path] = f"# In {path}\n".encode()
    report = await take(made.write(folder))

    assert (report.exit_code, report.differences) == (0, [])
    titles = await db.all("SELECT title FROM knowledge")
    assert {row["title"] for row in titles} == {"How we work", *(f"In {path}" for path in others)}
    assert (await take.verify(folder)).standing == "GREEN"


async def test_a_figure_of_an_agent_that_is_none_is_kept_beside_it(take: Taker, db: Database, tmp_path: Path) -> None:
    root = hive_store.whole().write(tmp_path / "hive")
    with closing(sqlite3.connect(root / "state" / "hive_state.db")) as file, file:
        file.execute("UPDATE agents SET context_usage = 'much'")
    await take(root)
    row = await db.one("SELECT context_usage, extra FROM agents WHERE agent = 'managed-1'")
    assert row
    assert row["context_usage"] is None
    assert "much" in row["extra"]
