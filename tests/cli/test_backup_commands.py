"""`backup` and `restore` as they are typed: what they print, and their exit codes."""

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from server.__main__ import main
from server.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["project-memory", "--data-root", str(settings.data_root), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def happen(settings: Settings, agent: str = "ada") -> None:
    with closing(sqlite3.connect(settings.database)) as db:
        db.execute(
            "INSERT INTO event_log (timestamp, type, entity_type, entity_id, agent) "
            "VALUES ('2030-01-01T00:00:00.000Z', 'plan_updated', 'plan', 'plan_1', ?)",
            (agent,),
        )
        db.commit()


def test_a_backup_is_told_with_the_command_that_goes_back_to_it(settings: Settings, run: Run) -> None:
    code, out, err = run("backup")
    [file] = (settings.data_root / "backups").glob("*.db")
    assert (code, err) == (0, "")
    assert out.startswith(f"{file}\n")
    assert f"restore {file}" in out
    assert "looked over and sound" in out

    happen(settings)
    assert run("backup", "--keep", "1")[1].endswith(f"removed {file.name}\n")
    again = run("backup", "--json")
    assert json.loads(again[1])["path"] is None
    assert run("backup")[1].startswith("No backup was made: nothing changed since ")


def test_backups_are_listed_the_newest_first(settings: Settings, run: Run) -> None:
    for _ in range(2):
        happen(settings)
        run("backup")
    code, out, _ = run("backup", "--list")
    lines = out.splitlines()
    assert code == 0
    assert lines[-1].startswith("2 backups, ")
    assert sorted(lines[:2], reverse=True) == lines[:2]
    listed = json.loads(run("backup", "--list", "--json")[1])
    assert [one["newest_event"] for one in listed] == sorted((one["newest_event"] for one in listed), reverse=True)
    assert [Path(one["path"]).name in line for one, line in zip(listed, lines, strict=False)] == [True, True]


def test_a_dry_run_tells_counts_and_the_events_that_would_be_lost(settings: Settings, run: Run) -> None:
    run("backup", str(settings.data_root / "one.db"))
    for _ in range(12):
        happen(settings, "ada \x1b[31m")
    code, out, _ = run("restore", str(settings.data_root / "one.db"), "--dry-run")

    assert code == 0
    assert "  event_log: 12 rows now, 0 then (-12)\n" in out
    assert "12 events would be lost.\n  2030-01-01T00:00:00.000Z plan_updated plan_1 ada \\u{1b}[31m\n" in out
    assert "  and 2 older ones\nNothing was changed.\n" in out
    assert "\x1b" not in out


def test_only_a_person_restores_over_a_database_that_is_there(settings: Settings, run: Run, tmp_path: Path) -> None:
    file = settings.data_root / "one.db"
    run("backup", str(file))
    before = settings.database.read_bytes()

    assert run("restore", str(file))[0] == 1
    assert settings.database.read_bytes() == before
    code, out, _ = run("--data-root", str(tmp_path / "new"), "restore", str(file))
    assert code == 0
    assert f"{tmp_path / 'new' / 'project-memory.db'} is one.db now." in out
    assert (tmp_path / "new" / "project-memory.db").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("restore", "nothing.db"), 1, "There is no file 'nothing.db'"),
        (("backup", "--keep", "0"), 2, "keep"),
        (("--data-root", "/nowhere/at/all", "backup"), 2, "There is no database"),
    ],
)
def test_misuse_is_told_in_a_line(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    ended, _, err = run(*words)

    assert ended == code
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be looked at " * 20])
def test_a_file_that_is_no_backup_is_told_before_a_person_is_asked_for(
    settings: Settings, run: Run, tmp_path: Path, content: bytes
) -> None:
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(settings.database)) as db:
        db.execute("CREATE TABLE there (a)")
    (tmp_path / "notes.txt").write_bytes(content)

    code, _, err = run("restore", str(tmp_path / "notes.txt"))

    assert code == 1
    assert "is no backup" in err
    assert "person" not in err
