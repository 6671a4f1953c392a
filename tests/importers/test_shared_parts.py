"""What layouts share: rows, secrets, times, words, YAML, databases of other programs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.db.dependencies.dependencies import Edge
from server.db.storage import foreign
from server.db.storage.connection import Database
from server.db.storage.table_shapes import defaults_of_tables
from server.importers.edges import acyclic
from server.importers.reading import Entry, UnreadableFile, fingerprint, merge_marker, read
from server.importers.rows import RowMaker
from server.importers.values import Fields, Teller, moment
from server.importers.vocabulary import plan_status, priority, step_status
from server.models.imports import Finding
from server.text import redaction
from server.text.editing import yaml

AT = "2025-01-02T03:04:05.000Z"


def taken(**found: object) -> Fields:
    return Fields(found, "$", Teller("file", []))


async def test_a_row_has_every_column_that_its_table_has(db: Database) -> None:
    maker = RowMaker(await defaults_of_tables(db), "beads", "ws_1", "file", AT)
    row = maker.row("plans", "plan_1", title="T", goals=["g"])

    assert (row.table, row.key, row.plan_id, row.path) == ("plans", "plan_1", "plan_1", "file")
    assert row.values["plan_id"] == "plan_1"
    assert (row.values["workspace_id"], row.values["created_at"], row.values["updated_at"]) == ("ws_1", AT, AT)
    assert (row.values["goals"], row.values["success_criteria"], row.values["version"]) == (["g"], [], 1)
    assert row.values["completed_at"] is None
    columns = {row["name"] for row in await db.all("SELECT name FROM pragma_table_info('plans')")}
    assert columns - row.values.keys() == {"open_steps"}


async def test_a_column_that_a_table_does_not_have_is_refused(db: Database) -> None:
    maker = RowMaker(await defaults_of_tables(db), "beads", "ws_1", "file", AT)
    with pytest.raises(KeyError, match="nonsense"):
        maker.row("plans", "plan_1", title="T", nonsense=1)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("apiKey", True), ("JIRA_TOKEN", True), ("jira.password", True), ("client_secret", True),
        ("access_token", True),
        ("token_count", False), ("max_tokens", False), ("tokens_used", False), ("keyboard", False), ("author", False),
        ("cache_key", False), ("issue_key", False), ("passed", False),
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(key: str, expected: bool) -> None:
    assert redaction.is_name(key) == expected


def test_secrets_are_blanked_out_and_their_places_told() -> None:
    github = "ghp_" + "a1B2" * 9
    value = {
        "config": {"token": "abc", "email": "me@example.org", "token_count": 3},
        "notes": [f"use {github} here", "https://me:hunter2@example.org/x"],
        "credentials": {"user": "me", "password": "x"},
        "password": "",
    }
    cleaned, places = redaction.blanked(value)

    assert cleaned == {
        "config": {"token": redaction.BLANK, "email": "me@example.org", "token_count": 3},
        "notes": [f"use {redaction.BLANK} here", f"https://{redaction.BLANK}@example.org/x"],
        "credentials": redaction.BLANK,
        "password": "",
    }
    assert places == ["$.config.token", "$.notes[0]", "$.notes[1]", "$.credentials"]
    assert redaction.blanked(cleaned) == (cleaned, [])


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2025-01-02 03:04:05", "2025-01-02T03:04:05.000Z"),
        ("2025-01-02 03:04", "2025-01-02T03:04:00.000Z"),
        ("2025-01-02T03:04:05+0200", "2025-01-02T01:04:05.000Z"),
        ("2025-01-02T03:04:05.1Z", "2025-01-02T03:04:05.100Z"),
        ("2025-01-02T03:04:05.123456789Z", "2025-01-02T03:04:05.123Z"),
        ("2025-01-02 03:04:05 UTC", "2025-01-02T03:04:05.000Z"),
        ("2025-01-02", "2025-01-02T00:00:00.000Z"),
        (1735787045, "2025-01-02T03:04:05.000Z"),
        (1735787045.5, "2025-01-02T03:04:05.500Z"),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
    ],
)
def test_a_time_in_any_dress_is_taken(told: object, expected: str | None) -> None:
    assert moment(told) == expected


@pytest.mark.parametrize(
    ("told", "step", "plan"),
    [
        ("IN_PROGRESS", "active", "active"), ("todo", "pending", "active"), ("Done", "done", "completed"),
        ("AWAITING_QA", "pending", "active"), ("PRODUCTION", "pending", "completed"),
        ("deferred", "cancelled", "paused"), ("FAILED", "failed", "failed"), ("blocked", "blocked", "blocked"),
    ],
)  # fmt: skip
def test_words_of_others_are_mapped_and_kept(told: str, step: str, plan: str) -> None:
    found = taken(status=told)
    assert (step_status(found), found.extra("beads")) == (step, {"beads": {"status": told}} if told != step else {})
    assert plan_status(taken(status=told)) == plan


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (0, "critical"),
        ("P1", "high"),
        ("1.1", "critical"),
        (5, "medium"),
        (4, "low"),
        ("High", "high"),
        (None, "medium"),
    ],
)
def test_priorities_of_any_scale_are_mapped(told: object, expected: str) -> None:
    assert priority(taken(priority=told)) == expected


def test_links_in_circles_lose_only_what_closes_them() -> None:
    nodes = [("step", f"s{n}") for n in range(2000)]
    edges: list[Edge] = [(nodes[n], nodes[(n + 1) % len(nodes)]) for n in range(len(nodes))]

    assert [fine for _, fine in acyclic(edges)] == [True] * (len(nodes) - 1) + [False]


def test_yaml_keeps_its_times_as_texts_and_refuses_what_is_dangerous() -> None:
    assert yaml.parsed("a: 2025-01-02\nb: [1, yes, null]\n") == {"a": "2025-01-02", "b": [1, "yes", None]}
    for text, why in (
        ("a: &x [1]\nb: *x\n", "alias in line 2"),
        ("[" * 200 + "]" * 200, "nested deeper"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: [1", "no YAML"),
        ("a: 1\na: 2\n", "no YAML"),
    ):
        with pytest.raises(yaml.BadYaml, match=why):
            yaml.parsed(text)


def test_yaml_is_changed_without_losing_its_form() -> None:
    text = "# about\nname: 'a'  # why\nitems:\n  - id: 1\n    status: \"open\"\n  - id: 2\n"

    def change(value: dict[str, list[dict[str, object]]]) -> None:
        value["items"][1]["status"] = "done"

    assert yaml.changed(text, lambda value: None) == text
    assert yaml.changed(text, change) == text + "    status: done\n"


def test_a_database_of_others_is_read_with_its_log_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "their.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = OFF")  # a commit each, which the disk need not wait for
        writer.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, 'odd name' TEXT)")
        writer.executemany("INSERT INTO notes VALUES (?, ?)", [(n, f"n{n}") for n in range(1200)])
        before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
        with foreign.opened(path) as db:
            assert db.tables() == {"notes": ["id", "odd name"]}
            assert db.count("notes") == 1200
            assert [row["odd name"] for row in db.rows("notes")][-1] == "n1199"
        assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("data", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_what_is_no_database_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "their.db"
    path.write_bytes(data)
    if data:
        with pytest.raises(foreign.BadDatabase), foreign.opened(path):
            pass
    else:
        with foreign.opened(path) as db:
            assert db.tables() == {}


def test_a_database_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real.db").write_bytes(b"")
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    with pytest.raises(foreign.BadDatabase, match="regular"), foreign.opened(tmp_path / "link.db"):
        pass


def test_a_file_of_many_gigabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(64 * 1024**3)
    with pytest.raises(UnreadableFile, match="more than"):
        read(Entry("huge.json", path))
    first = fingerprint(path, "huge.json")
    assert first[1] == 64 * 1024**3
    with path.open("ab") as file:
        file.write(b"x")
    assert fingerprint(path, "huge.json") != first


def test_marks_of_a_merge_are_found() -> None:
    assert merge_marker([b"a", b"<<<<<<< HEAD", b"b", b"=======", b"c", b">>>>>>> other"]) == 2
    assert merge_marker([b"<<<<<<< only quoted", b"b"]) is None


def test_every_repair_is_told() -> None:
    findings: list[Finding] = []
    found = Fields({"status": "Working", "due": "tomorrow"}, "$", Teller("file", findings))
    step_status(found)
    found.maybe_moment("due")
    assert [(one.json_path, one.what) for one in findings] == [
        ("$.status", "mapped"),
        ("$.due", "no time; kept in extra"),
    ]
    assert found.extra("x") == {"x": {"status": "Working", "due": "tomorrow"}}
