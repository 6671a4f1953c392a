"""`check`: each finding is made for real and found, nothing is found where nothing is wrong, and no byte changes."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from server.cli import run as run_command
from server.errors import InvalidArguments
from server.settings import DATABASE_NAME, Settings
from server.upkeep import checking, file_systems, repairing
from server.upkeep.findings import KINDS, CheckFinding
from server.upkeep.repairing import REPAIRS
from tests.populated_store import PopulatedStore

ROOT = Path(__file__).resolve().parent.parent.parent
FAR = "2999-01-01T00:00:00.000Z"


def look(root: Path, **how: object) -> list[CheckFinding]:
    return anyio.run(lambda: checking.check(Settings(data_root=root, synchronous="off"), **how))  # pyright: ignore[reportArgumentType]


def names(root: Path, **how: object) -> set[str]:
    return {one.name for one in look(root, **how) if one.severity != "note"}


def change(root: Path, *statements: str) -> None:
    """Write as no server would: without a foreign key or a constraint that minds."""
    db = sqlite3.connect(root / DATABASE_NAME)
    db.execute("PRAGMA ignore_check_constraints = 1")
    for sql in statements:
        db.execute(sql)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def hashes(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def first(root: Path, query: str) -> str:
    db = sqlite3.connect(f"{(root / DATABASE_NAME).as_uri()}?mode=ro", uri=True)
    try:
        return db.execute(query).fetchone()[0]
    finally:
        db.close()


def test_a_store_with_something_of_everything_is_sound(copy: PopulatedStore) -> None:
    assert names(copy.data_root) == set()
    assert names(copy.data_root, deep=True) == set()


# The name of a finding -> what makes it.
BROKEN: dict[str, tuple[str, ...]] = {
    "orphaned-context": ("UPDATE context_items SET parent_id = 'plan_gone' WHERE rowid = 1 AND parent_type = 'plan'",
                         "UPDATE context_items SET parent_type = 'plan', parent_id = 'plan_gone' WHERE rowid = 1"),
    "orphaned-research": ("UPDATE research_documents SET parent_type = 'step', parent_id = 'gone'",),
    "orphaned-evidence": (
        """INSERT INTO metric_points (point_id, workspace_id, parent_type, parent_id, name, bucket, recorded_at,
        created_at)
        SELECT 'point_x', workspace_id, 'step', 'gone', 'n', 'b', created_at, created_at FROM workspaces LIMIT 1""",
    ),
    "orphaned-facts": ("UPDATE memory_entries SET scope = 'plan', scope_id = 'gone'",),
    "orphaned-dependencies": (
        """INSERT INTO dependencies (dependency_id, source_type, source_id, target_type, target_id,
        created_at, updated_at)
        SELECT 'dep_x', 'step', step_id, 'step', 'gone', created_at, created_at FROM steps LIMIT 1""",
    ),
    "orphaned-members": (
        "INSERT INTO program_plans SELECT program_id, 'gone', 99, created_at FROM programs LIMIT 1",
    ),
    "ended-claims": (
        "UPDATE sessions SET status = 'completed'",
        f"""UPDATE steps SET status = 'active', lease_expires_at = '{FAR}',
        claimed_by = (SELECT session_id FROM sessions LIMIT 1) WHERE step_id = (SELECT min(step_id) FROM steps)""",
    ),
    "ended-reservations": (
        "UPDATE sessions SET status = 'completed'",
        f"""INSERT INTO file_reservations (reservation_id, workspace_id, session_id, holder, path, lease_expires_at,
        created_at, updated_at) SELECT 'res_x', workspace_id, session_id, agent, 'a', '{FAR}', created_at, created_at
        FROM sessions LIMIT 1""",
    ),
    "miscounted-plans": ("UPDATE plans SET open_steps = open_steps + 7",),
    "miscounted-waits": ("UPDATE steps SET waits_for = waits_for + 1",),
    "stale-dependencies": (
        """INSERT INTO dependencies (dependency_id, source_type, source_id, target_type, target_id, dep_status,
        created_at, updated_at) SELECT 'dep_y', 'plan', p.plan_id, 'step', s.step_id, 'satisfied', p.created_at,
        p.created_at FROM plans p, steps s WHERE s.status = 'pending' AND s.plan_id <> p.plan_id LIMIT 1""",
    ),
    "dependency-circle": (
        """INSERT INTO dependencies (dependency_id, source_type, source_id, target_type, target_id,
        created_at, updated_at)
        SELECT 'dep_a', 'step', min(step_id), 'step', max(step_id), '', '' FROM steps WHERE status = 'pending'
        UNION ALL SELECT 'dep_b', 'step', max(step_id), 'step', min(step_id), '', '' FROM steps
        WHERE status = 'pending'""",
    ),
    "workspace-circle": ("UPDATE workspaces SET parent_workspace_id = workspace_id",),
    "broken-json": ("UPDATE plans SET goals = 'no json'",),
    "clock-ahead": (f"UPDATE event_log SET timestamp = '{FAR}' WHERE event_id = 1",),
    "search-index": ("DELETE FROM search_documents WHERE kind = 'plan'",),
    "foreign-keys": ("PRAGMA foreign_keys = OFF", "UPDATE phases SET plan_id = 'gone' WHERE rowid = 1"),
    "schema-changed": ("DROP INDEX plans_status",),
    "workspace-gone": ("UPDATE workspaces SET path = path || '-which-is-gone'",),
    "foreign-database": ("PRAGMA foreign_keys = OFF", "DROP TABLE _migrations"),
    "schema-newer": ("PRAGMA user_version = 9999",),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_in_the_rows_is_found_and_mended_by_what_it_says(copy: PopulatedStore, name: str) -> None:
    change(copy.data_root, *BROKEN[name])
    settings = Settings(data_root=copy.data_root, synchronous="off")

    [found] = [one for one in look(copy.data_root, only=name) if one.name == name]
    assert found.what
    assert found.why
    if name not in REPAIRS:
        assert found.advice
        assert found.severity == KINDS[name].severity
        return

    assert found.command
    assert found.command.partition(" --data-root")[0].endswith(f"repair {name}")
    assert [one.name for one in anyio.run(repairing.preview, settings, name)] == [name]
    assert anyio.run(repairing.repair, settings, name) == []


@pytest.mark.parametrize("deep", [False, True])
def test_no_byte_changes_whether_a_server_has_the_file_or_not(copy: PopulatedStore, deep: bool) -> None:
    before = hashes(copy.data_root)
    look(copy.data_root, deep=deep)
    assert hashes(copy.data_root) == before

    held = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(copy.data_root / DATABASE_NAME)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert held.stdin
    assert held.stdout
    held.stdout.readline()
    before = hashes(copy.data_root)
    assert f"{DATABASE_NAME}-wal" in before
    assert "check-failed" not in names(copy.data_root, deep=deep)
    assert first_of_search(copy.data_root)
    after = hashes(copy.data_root)
    held.kill()  # so that its log stays
    held.wait()
    held.stdin.close()
    held.stdout.close()
    assert after == before

    before = hashes(copy.data_root)
    assert "check-failed" not in names(copy.data_root, deep=deep)
    assert hashes(copy.data_root) == before

    (copy.data_root / f"{DATABASE_NAME}-shm").unlink()
    before = hashes(copy.data_root)
    assert "check-failed" not in names(copy.data_root, deep=deep)
    assert hashes(copy.data_root) == before


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('PRAGMA wal_autocheckpoint = 0')
db.execute("UPDATE plans SET open_steps = open_steps + 1000")
print('held', flush=True)
sys.stdin.read()
"""


def first_of_search(root: Path) -> bool:
    """What stands only in the log is seen."""
    return "miscounted-plans" in names(root, deep=True)


def test_a_reader_that_does_not_end_is_named(copy: PopulatedStore) -> None:
    script = HOLDER.replace(
        "print(", "db.execute('BEGIN'); db.execute('SELECT count(*) FROM plans').fetchall(); print("
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(copy.data_root / DATABASE_NAME)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as held:  # fmt: skip
        assert held.stdin
        assert held.stdout
        held.stdout.readline()
        found = [one.what for one in look(copy.data_root) if one.name == "long-reader"]
        held.stdin.close()

    assert len(found) == (1 if sys.platform == "linux" else 0)
    assert all(f"process {held.pid}" in what for what in found)


def nothing(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def noise(root: Path) -> None:
    (root / DATABASE_NAME).write_bytes(b"no database at all" * 1000)


def emptied(root: Path) -> None:
    (root / DATABASE_NAME).write_bytes(b"")


def orphaned_log(root: Path) -> None:
    (root / DATABASE_NAME).rename(root / "elsewhere")
    (root / f"{DATABASE_NAME}-wal").write_bytes(b"x" * 100)


def cut(root: Path) -> None:
    path = root / DATABASE_NAME
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def a_folder(root: Path) -> None:
    (root / DATABASE_NAME).unlink()
    (root / DATABASE_NAME).mkdir()


def garbled(root: Path) -> None:
    path = root / DATABASE_NAME
    data = bytearray(path.read_bytes())
    for place in range(4096 * 3, len(data), 4096 * 5):
        data[place : place + 4096] = os.urandom(4096)[: len(data) - place]
    path.write_bytes(bytes(data))


def open_to_all(root: Path) -> None:
    (root / DATABASE_NAME).chmod(0o644)


def wide_log(root: Path) -> None:
    (root / f"{DATABASE_NAME}-wal").write_bytes(b"")
    os.truncate(root / f"{DATABASE_NAME}-wal", 20 * 1024 * 1024)


PLACES: list[tuple[Callable[[Path], None], set[str], int]] = [
    (nothing, {"database-missing"}, 1),
    (emptied, {"database-missing"}, 1),
    (noise, {"not-a-database"}, 2),
    (a_folder, {"not-a-database"}, 2),
    (orphaned_log, {"log-without-database"}, 2),
    (cut, {"truncated"}, 2),
    (garbled, {"integrity", "check-failed"}, 2),
    (open_to_all, {"permissions"}, 1),
    (wide_log, {"log-size"}, 1),
]


@pytest.mark.parametrize(("damage", "wanted", "code"), PLACES, ids=lambda value: getattr(value, "__name__", None))
def test_a_damaged_place_gets_an_answer(
    copy: PopulatedStore,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    wanted: set[str],
    code: int,
) -> None:
    damage(copy.data_root)
    before = hashes(copy.data_root)

    assert run(copy.data_root, "check", "--json", "--deep") == code
    found = {one["name"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found & wanted, found
    assert hashes(copy.data_root) == before


def run(root: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run_command([*words], {"data_root": str(root)})
    return int(ended.value.code or 0)


def test_the_command_tells_what_is_wrong_in_a_process_of_its_own(copy: PopulatedStore) -> None:
    change(copy.data_root, *BROKEN["miscounted-plans"])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PM_")}
    words = [sys.executable, "-m", "server", "check", "--deep", "--data-root", str(copy.data_root)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=environ)

    assert done.returncode == 2, done.stderr
    assert "error miscounted-plans: plan_" in done.stdout
    assert "repair miscounted-plans" in done.stdout


def test_an_editor_that_starts_something_else_is_told_and_nothing_is_started(
    copy: PopulatedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / ".cursor" / "mcp.json"
    settings.parent.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    marker = tmp_path / "was-started"
    entry = {"command": "touch", "args": [str(marker)]}
    settings.write_text(json.dumps({"mcpServers": {"project-memory": entry}}))

    assert run(copy.data_root, "check", "--only", "client-configuration", "--json") == 1

    [found] = json.loads(capsys.readouterr().out)["findings"]
    assert found["name"] == "client-configuration"
    assert str(settings) in found["what"]
    assert found["command"].partition(" --data-root")[0].endswith("setup")
    assert not marker.exists()

    settings.unlink()
    assert run(copy.data_root, "check", "--only", "no-client", "--json") == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["no-client"]


def test_a_repair_is_told_before_it_is_made_and_leaves_a_copy(
    copy: PopulatedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    change(copy.data_root, *BROKEN["miscounted-plans"])
    before = hashes(copy.data_root)

    assert run(copy.data_root, "repair", "miscounted-plans", "--dry-run") == 0
    assert "Would do" in capsys.readouterr().out
    assert hashes(copy.data_root) == before

    assert run(copy.data_root, "repair", "miscounted-plans") == 0
    told = capsys.readouterr().out
    assert "miscounted-plans is mended" in told
    assert hashes(copy.data_root).keys() > before.keys()
    assert run(copy.data_root, "check", "--deep") == 0

    assert run(copy.data_root, "repair", "miscounted-plans") == 0
    assert "Nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["integrity", "size", "nonsense"])
def test_what_no_repair_mends_says_what_does(copy: PopulatedStore, name: str) -> None:
    with pytest.raises(InvalidArguments) as refused:
        run(copy.data_root, "repair", name)
    assert any(word in str(refused.value) for word in ("restore", "trim", "To be mended: "))


def test_a_file_that_is_locked_as_a_whole_gets_an_answer(copy: PopulatedStore) -> None:
    db = sqlite3.connect(copy.data_root / DATABASE_NAME, isolation_level=None)
    db.execute("UPDATE plans SET updated_at = updated_at")  # makes the -shm that others are to share
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("UPDATE plans SET updated_at = updated_at")

    found = names(copy.data_root)
    db.execute("PRAGMA locking_mode = NORMAL")
    db.execute("SELECT count(*) FROM plans").fetchone()
    db.close()
    assert found == {"busy"}
    assert names(copy.data_root) == set()


def test_a_journal_of_another_mode_is_no_obstacle(copy: PopulatedStore) -> None:
    db = sqlite3.connect(copy.data_root / DATABASE_NAME, isolation_level=None)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("BEGIN EXCLUSIVE")
    assert names(copy.data_root) == set()
    db.execute("UPDATE plans SET open_steps = open_steps + 7")  # in a journal, and not committed
    assert names(copy.data_root, deep=True) == set()
    db.execute("COMMIT")
    db.close()
    assert names(copy.data_root, deep=True) == {"miscounted-plans"}


def test_every_finding_has_a_reason_and_one_way_out() -> None:
    assert {name for name, kind in KINDS.items() if not kind.why or bool(kind.words) is bool(kind.advice)} == set()
    assert {name for name, kind in KINDS.items() if kind.words[:1] == ("repair",)} == set(REPAIRS)


def test_a_network_file_system_is_told_by_the_deepest_mount_point() -> None:
    table = (
        "22 1 0:20 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /mnt/team\\040share rw - nfs4 server:/x rw\n"
        "31 30 0:41 / /mnt/team\\040share/local rw - ext4 /dev/sdb rw\n"
    )
    mounts = list(file_systems.of_mountinfo(table))

    assert file_systems.kind_of("/home/me", mounts) == "ext4"
    assert file_systems.kind_of("/mnt/team share/data", mounts) == "nfs4"
    assert file_systems.kind_of("/mnt/team share/local/data", mounts) == "ext4"
    assert file_systems.kind_of("/mnt/team shared", mounts) == "ext4"
    assert list(file_systems.of_mount("//me@host/s on /Volumes/s (smbfs, nodev)")) == [("/Volumes/s", "smbfs")]


@pytest.mark.parametrize("part", ["Dropbox", "OneDrive - Contoso", "iCloud Drive", "com~apple~CloudDocs", "Nextcloud"])
def test_a_folder_that_is_kept_in_step_is_told_by_its_name(tmp_path: Path, part: str) -> None:
    assert file_systems.synced(tmp_path / part / "data") == part
    assert file_systems.synced(tmp_path / f"my{part}notes") is None


def test_a_folder_that_is_kept_in_step_is_told_by_a_mark_above_it(tmp_path: Path) -> None:
    (tmp_path / "Sync").mkdir()
    (tmp_path / "Sync" / ".stfolder").mkdir()

    assert file_systems.synced(tmp_path / "Sync" / "data") == str(tmp_path / "Sync" / ".stfolder")
