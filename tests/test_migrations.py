"""Migrations bring any database up to date, or leave it as it was and say why."""

import asyncio
import re
import shutil
import sqlite3
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from server.db.storage import driver, migrations
from server.db.storage.connection import Database
from server.db.storage.migrations import load, statements
from server.db.storage.opening import open_database
from server.db.storage.schema_comparison import differences, read
from server.errors import Busy, SchemaTooNew, Storage
from server.settings import ASSETS, Settings
from server.store import Store, open_store
from tests.thoroughness import often

SHIPPED = ASSETS / "migrations"
NEXT = len(load(SHIPPED)) + 1
SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
TRIGGER = """
-- A comment; with a semicolon.
CREATE TABLE extras (extra_id TEXT PRIMARY KEY, text TEXT NOT NULL DEFAULT 'a;b') STRICT;
CREATE TRIGGER extras_inserted AFTER INSERT ON extras BEGIN
    UPDATE extras SET text = 'one;two' WHERE extra_id = NEW.extra_id;
    DELETE FROM extras WHERE text = '';
END;
CREATE INDEX extras_text ON extras (text);
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped migrations that a test may add to."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "migrations"))


def add(folder: Path, script: str, number: int = NEXT) -> str:
    name = f"{number:04}_for_a_test"
    (folder / f"{name}.sql").write_text(script, encoding="utf-8")
    return name


@pytest_asyncio.fixture
async def fresh(tmp_path: Path) -> AsyncGenerator[Database]:
    """An open database without any table."""
    db = await open_database(tmp_path / "data" / "some.db", synchronous="off")
    yield db
    await db.close()


async def schema(db: Database) -> list[tuple[str, str]]:
    rows = await db.all(SCHEMA)
    return [(row["name"], row["sql"]) for row in rows]


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


async def test_an_empty_database_gets_every_migration_once(fresh: Database) -> None:
    names = [migration.name for migration in load(SHIPPED)]

    assert await migrations.migrate(fresh, SHIPPED) == names
    assert await migrations.migrate(fresh, SHIPPED) == []
    assert [row["name"] for row in await fresh.all("SELECT name FROM _migrations ORDER BY name")] == names
    assert await fresh.value("PRAGMA user_version") == len(names) == fresh.schema_version


@pytest.mark.parametrize("known", range(NEXT - 1, 0, -often(1, usual=3)))
async def test_a_database_of_any_earlier_release_is_brought_up_to_date(
    fresh: Database, tmp_path: Path, seeded: Path, known: int
) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for migration in load(SHIPPED)[:known]:
        shutil.copyfile(SHIPPED / f"{migration.name}.sql", earlier / f"{migration.name}.sql")
    await migrations.migrate(fresh, earlier)

    assert await migrations.migrate(fresh, SHIPPED) == [migration.name for migration in load(SHIPPED)[known:]]
    with closing(sqlite3.connect(seeded)) as whole:
        assert await schema(fresh) == whole.execute(SCHEMA).fetchall()


async def test_a_new_database_is_sound(db: Database) -> None:
    assert await db.value("PRAGMA integrity_check") == "ok"
    assert await db.all("PRAGMA foreign_key_check") == []


async def test_every_table_is_strict_but_the_virtual_ones(db: Database) -> None:
    loose = await db.all(
        """
        SELECT name FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'
          AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
        """
    )

    assert [row["name"] for row in loose] == []


async def tables(db: Database) -> list[str]:
    rows = await db.all("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    return [row["name"] for row in rows]


async def test_an_archive_table_has_the_columns_of_its_live_table_in_their_order(db: Database) -> None:
    archives = [name for name in await tables(db) if name.endswith("_archive")]

    assert len(archives) >= 13
    for archive in archives:
        live = await db.all("SELECT name, type FROM pragma_table_info(:t)", {"t": archive.removesuffix("_archive")})
        kept = await db.all("SELECT name, type FROM pragma_table_info(:t)", {"t": archive})

        assert [tuple(column) for column in kept] == [tuple(column) for column in live], archive


# One that leaves out only what names no parent finds every child of one, too.
WHOLE_INDEXES = """
    SELECT l.name FROM pragma_index_list(:t) l JOIN pragma_index_info(l.name) c ON c.seqno = 0
        JOIN sqlite_master m ON m.name = l.name
    WHERE l.partial = 0 OR m.sql LIKE '% WHERE ' || c.name || ' IS NOT NULL'
"""


async def test_every_foreign_key_says_what_a_deletion_does_and_has_an_index(db: Database) -> None:
    for table in await tables(db):
        leading = {
            tuple(row["name"] for row in await db.all("SELECT name FROM pragma_index_info(:i)", {"i": index["name"]}))
            for index in await db.all(WHOLE_INDEXES, {"t": table})
        }
        keys: dict[int, list[str]] = {}
        for row in await db.all('SELECT id, "from", on_delete FROM pragma_foreign_key_list(:t)', {"t": table}):
            assert row["on_delete"] in ("CASCADE", "SET NULL"), table
            keys.setdefault(row["id"], []).append(row["from"])

        for columns in keys.values():
            assert any(set(index[: len(columns)]) == set(columns) for index in leading), (table, columns)


async def test_every_json_column_is_checked(db: Database) -> None:
    for name in await tables(db):
        sql = await db.value("SELECT sql FROM sqlite_master WHERE name = :name AND type = 'table'", {"name": name})
        defaults = re.findall(r"(\w+) TEXT NOT NULL DEFAULT '(?:\[\]|\{\})'", sql or "")

        assert all(f"json_valid({column})" in sql for column in defaults), name


async def test_no_time_or_id_comes_from_the_database(db: Database) -> None:
    for _, sql in await schema(db):
        assert not re.search(r"datetime\(|CURRENT_TIMESTAMP|random", sql, re.IGNORECASE)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
async def test_how_lines_end_makes_no_difference_to_an_applied_file(
    fresh: Database, folder: Path, newline: str
) -> None:
    await migrations.migrate(fresh, SHIPPED)
    for file in folder.glob("*.sql"):
        file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8", newline=newline)

    assert await migrations.migrate(fresh, folder) == []


async def test_an_applied_file_that_was_edited_is_refused(fresh: Database, folder: Path) -> None:
    await migrations.migrate(fresh, folder)
    file = next(folder.glob("0001_*.sql"))
    file.write_text(file.read_text(encoding="utf-8") + "\n-- one more remark\n", encoding="utf-8")

    with pytest.raises(Storage, match=rf"{file.stem} was edited after it was applied"):
        await migrations.migrate(fresh, folder)


async def test_a_database_of_a_newer_release_is_refused(fresh: Database, folder: Path) -> None:
    add(folder, TRIGGER)
    await migrations.migrate(fresh, folder)
    before = everything(fresh.path)

    with pytest.raises(SchemaTooNew, match=f"schema version {NEXT}, this server knows {NEXT - 1}"):
        await migrations.migrate(fresh, SHIPPED)
    assert everything(fresh.path) == before


async def test_a_user_version_alone_is_enough_to_be_newer(fresh: Database) -> None:
    with closing(sqlite3.connect(fresh.path)) as other:
        other.execute("PRAGMA user_version = 99")

    with pytest.raises(SchemaTooNew, match="schema version 99"):
        await migrations.migrate(fresh, SHIPPED)


async def test_a_server_that_runs_while_another_one_migrates_writes_nothing_more(
    settings: Settings, folder: Path
) -> None:
    old = await open_store(settings)
    new = await open_database(settings.database)
    await migrations.migrate(new, folder)
    add(folder, TRIGGER)
    await migrations.migrate(new, folder)
    before = everything(settings.database)

    async def write() -> None:
        async with old.transaction() as tx:
            await tx.run("DELETE FROM tools")

    with pytest.raises(SchemaTooNew, match="Restart this server with the current release"):
        await write()
    assert everything(settings.database) == before
    assert await old.value("SELECT count(*) FROM tools") > 0
    await new.close()
    await old.close()


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "project-memory.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")
        other.commit()
    before = path.read_bytes()

    with pytest.raises(Storage, match="another program"):
        await open_store(Settings(data_root=tmp_path, synchronous="off"))
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("project-memory.db-*"))


async def test_a_read_only_server_migrates_nothing(fresh: Database) -> None:
    with pytest.raises(Storage, match="Start the server once without --read-only"):
        await migrations.migrate(fresh, SHIPPED, allowed=False)

    assert await schema(fresh) == []


@pytest.mark.parametrize("numbers", [[2], [1, 3], []])
def test_a_gap_in_the_numbers_is_refused(tmp_path: Path, numbers: list[int]) -> None:
    for number in numbers:
        add(tmp_path, "SELECT 1;", number)

    with pytest.raises(Storage, match="incomplete"):
        load(tmp_path)


def test_statements_are_split_where_sqlite_sees_their_end() -> None:
    found = list(statements(TRIGGER))

    assert [re.findall(r"CREATE (\w+)", statement) for statement in found] == [["TABLE"], ["TRIGGER"], ["INDEX"]]
    assert "".join(found) == TRIGGER


async def test_a_trigger_is_applied_whole(fresh: Database, folder: Path) -> None:
    add(folder, TRIGGER)
    await migrations.migrate(fresh, folder)
    async with fresh.transaction() as tx:
        await tx.run("INSERT INTO extras (extra_id) VALUES ('a')")

    assert await fresh.value("SELECT text FROM extras") == "one;two"


def test_a_script_whose_last_statement_has_no_end_is_refused() -> None:
    with pytest.raises(Storage, match="ends in the middle of a statement: 'SELECT 2'"):
        list(statements("SELECT 1;\nSELECT 2\n"))


@pytest.mark.parametrize("rest", ["", "\n\n", "-- the end", "/* the\nend */\n"])
def test_a_script_may_end_in_a_remark(rest: str) -> None:
    assert list(statements(f"SELECT 1;\n{rest}")) == ["SELECT 1;\n"]


async def test_a_database_with_data_is_copied_whole_before_it_is_migrated(
    unused: Settings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    db = await open_store(unused)
    before = everything(unused.database)
    name = add(folder, TRIGGER)
    applied = await migrations.migrate(db, folder)
    await db.close()
    [copy] = (unused.data_root / "backups").glob(f"project-memory-*-before-{name}.db")

    assert applied == [name]
    assert everything(copy) == before
    assert str(copy) in caplog.text
    assert {path.name for path in unused.data_root.glob("*.db*")} == {"project-memory.db"}
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert old.execute("PRAGMA user_version").fetchone() == (NEXT - 1,)
    if sys.platform != "win32":
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_a_new_database_is_not_copied(unused: Settings) -> None:
    db = await open_store(unused)
    await db.close()

    assert {path.name for path in unused.data_root.glob("*.db*")} == {"project-memory.db"}


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE one (a TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);\n",
        "CREATE TABLE one (a TEXT) STRICT;\nDELETE FROM workspaces;\nTHIS IS NO SQL;\n",
        "UPDATE plans SET workspace_id = 'nobody';\n",
        "CREATE TABLE one (a TEXT) STRICT;\nCREATE TABLE cut (b TEXT)\n",
    ],
    ids=["unknown table", "no SQL", "broken reference", "cut off"],
)
async def test_a_migration_that_fails_leaves_everything_as_it_was(
    settings: Settings, folder: Path, script: str
) -> None:
    db = await open_store(settings)
    async with db.transaction() as tx:
        await tx.run("INSERT INTO workspaces (workspace_id, path, name, created_at, updated_at) VALUES (1, 1, 1, 1, 1)")
        await tx.run(
            "INSERT INTO plans (plan_id, workspace_id, title, created_at, updated_at) VALUES ('1', '1', '1', '1', '1')"
        )
    before, shape = everything(settings.database), await schema(db)
    add(folder, script)

    with pytest.raises(Storage, match="Nothing was changed") as refused:
        await migrations.migrate(db, folder)
    [backup] = (settings.data_root / "backups").glob("*.db")
    assert f"`restore {backup.name}`" in str(refused.value)
    assert everything(backup) == before
    assert (everything(settings.database), await schema(db)) == (before, shape)
    assert await db.value("PRAGMA user_version") == NEXT - 1
    async with db.transaction() as tx:
        await tx.run("DELETE FROM plans")
    await db.close()


async def test_a_migration_waits_for_the_lock_and_gives_up_in_the_end(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "BUSY_TIMEOUT_MS", 10)
    monkeypatch.setattr(migrations, "LOCK_ATTEMPTS", 2)
    with closing(sqlite3.connect(fresh.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="cannot be opened yet"):
            await migrations.migrate(fresh, SHIPPED)

    assert await migrations.migrate(fresh, SHIPPED)


async def test_a_store_that_failed_to_migrate_opens_once_the_cause_is_gone(unused: Settings) -> None:
    unused.data_root.mkdir()
    with closing(sqlite3.connect(unused.database)) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")
        other.commit()
    store = Store(unused)
    with pytest.raises(Storage):
        await store.open()
    with closing(sqlite3.connect(unused.database)) as other:
        other.execute("DROP TABLE cookies")
        other.commit()

    assert await (await store.open()).value("SELECT count(*) FROM _migrations") == NEXT - 1
    await store.close()


OPEN_AND_TELL = """
import asyncio, sys
from pathlib import Path
from server.db.storage.opening import open_database
from server.db.storage.migrations import migrate
from server.settings import ASSETS

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    db = await open_database(Path(sys.argv[1]))
    print(len(await migrate(db, ASSETS / "migrations")), await db.value("PRAGMA integrity_check"))
    await db.close()

asyncio.run(main())
"""


async def test_eight_processes_that_open_an_empty_folder_at_once_migrate_it_once(tmp_path: Path) -> None:
    path = tmp_path / "data" / "some.db"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            OPEN_AND_TELL,
            str(path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ASSETS,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [error.decode() for _, error in answers] == [""] * 8
    assert sorted(answer.decode().split() for answer, _ in answers) == [["0", "ok"]] * 7 + [[f"{NEXT - 1}", "ok"]]


async def test_a_new_database_is_what_the_migrations_come_to_one_by_one(fresh: Database, tmp_path: Path) -> None:
    await migrations.migrate(fresh, SHIPPED)
    other = await open_database(tmp_path / "one by one.db", synchronous="off")
    try:
        await migrations.migrate(other, SHIPPED, one_by_one=True)
        written = await migrations.whole_schema(other, SHIPPED)
        assert list(differences(await read(other), await read(fresh))) == []
        assert await migrations.whole_schema(fresh, SHIPPED) == written
        known = "SELECT name, checksum FROM _migrations ORDER BY name"
        assert list(map(tuple, await fresh.all(known))) == list(map(tuple, await other.all(known)))
    finally:
        await other.close()
    assert (SHIPPED.parent / migrations.WHOLE).read_text(encoding="utf-8") == written


async def test_a_schema_of_other_migrations_is_not_used(fresh: Database, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "migrations")
    (tmp_path / "catalog").mkdir()
    text = (SHIPPED.parent / migrations.WHOLE).read_text(encoding="utf-8")
    (tmp_path / migrations.WHOLE).write_text(text, encoding="utf-8")
    new = tmp_path / "migrations" / f"{NEXT:04}_another.sql"
    new.write_text("CREATE TABLE another (another_id TEXT PRIMARY KEY) STRICT;\n", encoding="utf-8")
    await migrations.migrate(fresh, tmp_path / "migrations")

    assert await fresh.value("SELECT count(*) FROM another") == 0
