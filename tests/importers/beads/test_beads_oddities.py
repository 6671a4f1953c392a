"""Issues as hands, merges and older versions of beads left them: none of it goes without a word."""

import json
from pathlib import Path
from typing import Any

from tests.importers.beads.generator import link
from tests.importers.conftest import Taker

AT = "2025-10-14T21:43:06.910Z"


def issue(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": f"Title of {name}", "status": "open", "priority": 2, "created_at": AT, **more}


def write(project: Path, *issues: dict[str, Any]) -> None:
    (project / ".beads").mkdir(exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in issues)
    (project / ".beads" / "issues.jsonl").write_text(text, encoding="utf-8")


async def step(take: Taker, name: str) -> dict[str, Any]:
    row = await take.db.one("SELECT * FROM steps WHERE external_id = :name", {"name": name})
    assert row
    return dict(row)


async def test_times_as_go_prints_them_are_read(take: Taker, tmp_path: Path) -> None:
    times = {"created_at": "2025-10-14 14:43:06.910467 -0700 PDT m=+0.05", "due_at": "2025-10-14 14:43:06 +0000 UTC"}
    comment = {"id": 1, "author": "eve", "text": "Hm", "created_at": "2025-10-14 14:43:06.910467 -0700 -0700"}
    write(tmp_path, issue("bd-1", **times, comments=[comment]))
    await take(tmp_path)
    row = await step(take, "bd-1")
    assert (row["created_at"], row["due_at"]) == (AT, "2025-10-14T14:43:06.000Z")
    assert await take.db.value("SELECT created_at FROM plan_notes") == AT


async def test_a_time_that_is_none_is_told(take: Taker, tmp_path: Path) -> None:
    write(tmp_path, issue("bd-1", created_at="long ago", due_at="0001-01-01T00:00:00Z"))
    report = await take(tmp_path)
    told = [one.json_path for one in report.findings if one.severity == "warning"]
    assert told == ["line 1.created_at"]


async def test_comments_that_are_mere_texts_are_notes(take: Taker, tmp_path: Path) -> None:
    write(tmp_path, issue("bd-1", comments=["Only words", 7, {"text": "Usual", "author": "eve"}]))
    await take(tmp_path)
    notes = [row["note"] for row in await take.db.all("SELECT note FROM plan_notes ORDER BY note")]
    assert notes == ["bd-1: 7", "bd-1: Only words", "bd-1: Usual"]


async def test_links_that_lead_nowhere_or_are_none_are_told(take: Taker, tmp_path: Path) -> None:
    write(
        tmp_path,
        issue("bd-1", dependencies=[link("bd-1", "bd-gone", "parent-child")]),
        issue("bd-2", dependencies=["bd-1", {"type": "blocks"}, link("bd-9", "bd-1", "blocks")]),
        issue("bd-3", dependencies={"blocks": "bd-1"}),
    )
    report = await take(tmp_path)
    told = {one.json_path: one.what for one in report.findings if one.severity == "warning"}
    assert told.keys() == {
        "line 1.dependencies[0]", "line 2.dependencies[0]", "line 2.dependencies[1]", "line 2.dependencies[2]",
        "line 3.dependencies",
    }  # fmt: skip
    assert "no such issue" in told["line 1.dependencies[0]"]
    assert await take.db.value("SELECT count(*) FROM dependencies") == 0


async def test_types_that_beads_itself_has_are_no_warning(take: Taker, tmp_path: Path) -> None:
    kinds = ("message", "molecule", "gate", "spike", "story", "milestone", "event")
    write(tmp_path, *(issue(f"bd-{number}", issue_type=kind) for number, kind in enumerate(kinds)))
    report = await take(tmp_path)
    assert [one for one in report.findings if one.severity != "info"] == []
