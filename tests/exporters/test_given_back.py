"""Files of other programs given back: their bytes where nothing changed, else the old file with the changes in it."""

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from server.exporters import given_back
from server.exporters.given_back import Way, place_of
from server.exporters.legacy.entries import Change, Field
from server.importers.values import place
from server.settings import Settings
from tests.importers.beads import generator
from tests.importers.conftest import Taker

STATUSES = {"done": "closed", "active": "in_progress", "pending": "open"}
WAY = Way(
    "beads",
    {
        "steps": (Field("task", "title"), Field("status", "status", lambda status: STATUSES.get(status, status))),
        "plans": (Field("title", "title"),),
        "knowledge": (Field("title", "title"),),
    },
)


@pytest_asyncio.fixture
async def take(settings: Settings, db: Database) -> AsyncGenerator[Taker]:
    taker = Taker(settings, db)
    yield taker
    await taker.store.close()


async def written(take: Taker) -> dict[str, bytes]:
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    return {file.path: file.content async for file in given_back.workspace(take.db, workspace_id, WAY)}


def without_secret(folder: Path) -> list[dict[str, Any]]:
    issues = [one for one in generator.lines(1) if generator.SECRET not in json.dumps(one)]
    generator.write(folder / ".beads" / "issues.jsonl", issues)
    return issues


async def test_what_did_not_change_is_given_back_byte_for_byte(take: Taker, project: Path) -> None:
    without_secret(project)
    await take(project)
    assert await written(take) == {".beads/issues.jsonl": (project / ".beads" / "issues.jsonl").read_bytes()}


async def test_a_changed_step_changes_its_fields_alone(take: Taker, project: Path) -> None:
    issues = without_secret(project)
    await take(project)
    found = await take.db.one("SELECT step_id, plan_id FROM steps WHERE task LIKE 'Issue 38 %'")
    assert found
    changes = {"task": "Renamed", "status": "done", "agent": "me"}
    await take.ask("memory_steps", {"action": "update", "step_id": found["step_id"], **changes})

    [data] = (await written(take)).values()
    place = next(n for n, one in enumerate(issues) if str(one.get("title", "")).startswith("Issue 38 "))
    issues[place] |= {"title": "Renamed", "status": "closed"}
    lines = (project / ".beads" / "issues.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line) for line in data.splitlines()] == issues
    assert [n for n, line in enumerate(data.split(b"\n")) if line != lines[n]] == [place]


async def test_what_was_deleted_here_leaves_the_file(take: Taker, project: Path) -> None:
    issues = without_secret(project)
    await take(project)
    found = await take.db.one("SELECT step_id FROM steps WHERE task LIKE 'Issue 38 %'")
    assert found
    await take.ask("memory_steps", {"action": "delete", "step_id": found["step_id"], "confirm": True})

    [data] = (await written(take)).values()
    kept = [one for one in issues if not str(one.get("title", "")).startswith("Issue 38 ")]
    assert [json.loads(line) for line in data.splitlines()] == kept


async def test_files_with_secrets_are_counted_and_not_given_back(take: Taker, project: Path) -> None:
    generator.store(project, 1)
    await take(project)
    assert set(await written(take)) == {".beads/config.yaml"}
    assert list((await given_back.left_out(take.db, None, WAY)).values()) == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", ()),
        ("$.a.b[3].c", ("a", "b", 3, "c")),
        ("$['b c'].d", ("b c", "d")),
        ("line 12", (12,)),
        ("line 12.comments[0]", (12, "comments", 0)),
    ],
)
def test_a_place_is_read(text: str, expected: tuple[str | int, ...]) -> None:
    assert place_of(text) == expected


@pytest.mark.parametrize(
    "name", ["a", "v1.2", "b c", "it's", 'say "no"', 'it\'s "both"', "a[0]", "back\\slash", "größe", ""]
)
def test_a_name_of_any_letters_is_found_again(name: str) -> None:
    assert place_of(place(place("$.a[3]", name), "inner")) == ("a", 3, name, "inner")
    assert place_of(place("line 7", name)) == (7, name)


ITEM = Field("task", "name")


def one_change(path: str, before: Mapping[str, str], now: Mapping[str, str] | None, place: str) -> Change:
    present = {"steps": {"s": dict(now)}} if now else {}
    return Change({"steps": {"s": dict(before)}}, present, {("steps", "s"): (path, place)})


@pytest.mark.parametrize(
    ("path", "data", "changed", "less"),
    [
        (
            "a.json",
            (
                b'{\n\t"x": 1,\n\t"items": [\n\t\t{\n\t\t\t"name": "\\u00e4"\n\t\t},\n\t\t{\n'
                b'\t\t\t"name": "b"\n\t\t}\n\t]\n}\n'
            ),
            b'"name": "new"',
            b'"name": "b"',
        ),
        ("a.yaml", b"# why\nx: 1\nitems:\n  - name: a  # first\n  - name: b\n", b"- name: new # first", b"- name: b"),
    ],
)
def test_a_file_keeps_its_form(path: str, data: bytes, changed: bytes, less: bytes) -> None:
    way, one = Way("x", {"steps": (ITEM,)}), {"path": path, "modified_at": None}
    before = {"task": "a"}

    def back(now: Mapping[str, str] | None) -> bytes:
        return given_back.given_back(one, data, one_change(path, before, now, "$.items[0]"), way).content

    assert back(before) == data
    renamed = back({"task": "new"})
    assert changed in renamed
    assert less in renamed
    assert renamed.count(b"\n") == data.count(b"\n")
    gone = back(None)
    assert changed not in gone
    assert less in gone


async def test_an_empty_file_is_given_back(take: Taker, project: Path) -> None:
    generator.store(project, 1)
    (project / ".beads" / "empty.md").write_bytes(b"")
    await take(project)
    assert (await written(take))[".beads/empty.md"] == b""


async def test_what_moved_in_its_file_is_changed_where_it_stands_now(take: Taker, project: Path) -> None:
    issues = without_secret(project)[::-1]
    await take(project)
    generator.write(project / ".beads" / "issues.jsonl", issues)
    report = await take(project)
    assert report.rows["steps"] == {"unchanged": 22}
    step_id = await take.db.value("SELECT step_id FROM steps WHERE task LIKE 'Issue 38 %'")
    await take.ask("memory_steps", {"action": "update", "step_id": step_id, "task": "Renamed", "agent": "me"})

    [data] = (await written(take)).values()
    place = next(n for n, one in enumerate(issues) if str(one.get("title", "")).startswith("Issue 38 "))
    issues[place] |= {"title": "Renamed"}
    assert [json.loads(line) for line in data.splitlines()] == issues


async def test_what_left_its_file_and_stays_here_changes_nothing_else_in_it(take: Taker, project: Path) -> None:
    issues = without_secret(project)
    await take(project)
    step_id = await take.db.value("SELECT step_id FROM steps WHERE task LIKE 'Issue 38 %'")
    await take.ask("memory_steps", {"action": "update", "step_id": step_id, "task": "Renamed", "agent": "me"})
    left = [one for one in issues if not str(one.get("title", "")).startswith("Issue 38 ")]
    generator.write(project / ".beads" / "issues.jsonl", left)
    report = await take(project)
    assert any("edited since; it stays" in finding.what for finding in report.findings)
    assert await written(take) == {".beads/issues.jsonl": (project / ".beads" / "issues.jsonl").read_bytes()}

    generator.write(project / ".beads" / "issues.jsonl", issues)
    await take(project)
    [data] = (await written(take)).values()
    assert [one["title"] for one in map(json.loads, data.splitlines()) if one.get("title") == "Renamed"] == ["Renamed"]
