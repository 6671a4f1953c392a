"""Every value of every file is in a column, in an extra field, or in a line of the report."""

import copy
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from server.importers.report import ImportReport
from tests import legacy_shapes, legacy_store
from tests.importers.conftest import Taker
from tests.legacy_store import Json, Maker

# What an import remembers for the next one, or counts, is no place for a value.
NO_PLACE = ("import_runs", "import_rows")
KINDS = ("object", "number", "text")
Way = tuple[str | int, ...]


class Marker:
    """Makes values that occur nowhere else, and knows where each stands."""

    def __init__(self) -> None:
        self.numbers = count(70_000_000)
        self.places: dict[object, str] = {}

    def mark(self, place: str) -> str:
        mark = f"mark-{next(self.numbers)}"
        self.places[mark] = place
        return mark

    def value(self, kind: str, place: str) -> Any:
        """Return a value of a kind of JSON."""
        if kind == "number":
            number = next(self.numbers)
            self.places[number] = place
            return number
        mark = self.mark(place)
        return {"odd": [mark]} if kind == "object" else mark


def unknown_fields(value: Any, marker: Marker, place: str) -> Any:
    """Add an unknown field to every object."""
    if isinstance(value, dict):
        inner = {name: unknown_fields(item, marker, f"{place}.{name}") for name, item in value.items()}
        return {**inner, "x_unknown": marker.mark(place)}
    return [unknown_fields(item, marker, f"{place}[]") for item in value] if isinstance(value, list) else value


def paths(value: Any, at: Way = ()) -> Iterator[Way]:
    """Yield the way to everything in a value; of lists only to the first two items."""
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for name, item in pairs:
        yield from paths(item, (*at, name))


def replaced(value: Any, path: Way, other: Any) -> Any:
    found = holder = copy.deepcopy(value)
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = other
    return found


def held(path: Path, report: ImportReport) -> set[object]:
    """Return every value in the database and in the report, and the keys of objects."""
    found: set[object] = set()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                add(name)
                add(item)
        elif isinstance(value, list):
            for item in value:
                add(item)
        elif isinstance(value, str):
            found.add(value)
            with suppress(ValueError):
                add(json.loads(value) if value[:1] in ("{", "[") else None)
        else:
            found.add(value)

    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table in NO_PLACE or table.startswith(("search", "sqlite")):
                continue
            columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")') if row[1] != "raw"]
            for row in db.execute(f'SELECT {", ".join(columns)} FROM "{table}"'):
                add([value for value in row if not isinstance(value, bytes)])
    for finding in report.findings:
        add([finding.value, finding.used])
    return found


def lost(path: Path, report: ImportReport, marker: Marker) -> dict[str, int]:
    """Return where values stood that are found nowhere, and how many."""
    there, found = held(path, report), dict[str, int]()
    for mark, place in marker.places.items():
        if mark not in there and str(mark) not in there:
            found[place] = found.get(place, 0) + 1
    return found


def whole_plan(m: Maker) -> Json:
    """Return a plan that has every field that plans ever had."""
    state = legacy_store.plan_v2(m, steps=2, phases=2, status="active")
    for step in state["steps"]:
        step |= {"type": "code", "assignee": "Executor", "notes": "n", "status": "done", "completed_at": m.time()}
        step |= {"requires_validation": True, "requires_user_confirmation": False, "context_priority": "high"}
    state["steps"][1]["depends_on"] = [0]
    session = legacy_store.session(m) | {"completed_at": m.time(), "summary": "s", "artifacts": ["a"]}
    state |= {"agent_sessions": [session | {"handoff_stats": {"a": 1}}], "lineage": [legacy_store.handover(m)]}
    state["lineage"][0]["data"] = {"k": 1}
    note = {"note": "n", "type": "info", "added_at": m.time(), "added_by": "user"}
    state |= {"pending_notes": [note], "notes": ["text"], "goals": ["g"], "success_criteria": ["s"]}
    state["confirmation_state"] = legacy_store.confirmation_state(m, state["steps"])
    state["build_scripts"] = [legacy_store.build_script(m, state["id"]) | {"mcp_handle": "h"}]
    state["categorization"] = {"category": "bug", "confidence": 0.9, "suggested_workflow": ["a"]}
    state["deployment_context"] = {"deployed_agent": "a", "deployed_at": m.time()}
    state["paused_at_snapshot"] = {"phase": "x", "paused_at": m.time()}
    state |= {"program_id": "prog_x", "parent_program_id": "prog_x", "depends_on_plans": ["plan_x"]}
    state |= {"is_program": False, "child_plan_ids": ["plan_x"], "archived_at": m.time(), "completed_at": m.time()}
    return state | {"recommended_next_agent": "x", "workflow_mode": "standard", "pre_plan_build_status": "passing"}


async def test_unknown_fields_in_every_object_of_every_file(take: Taker, tmp_path: Path) -> None:
    files = legacy_store.store(1, shapes=list(legacy_shapes.SHAPES.values()))
    marker = Marker()
    for path, content in files.items():
        if path.endswith(".json"):
            files[path] = legacy_store.dump(unknown_fields(json.loads(content), marker, path))
        elif path.endswith("events.log"):
            lines = [unknown_fields(json.loads(line), marker, path) for line in content.splitlines()]
            files[path] = "\n".join(map(json.dumps, lines)).encode()
    report = await take(legacy_store.put(tmp_path / "old", files))

    rows = await take.db.all("SELECT workspace_id, path FROM import_files WHERE status <> 'imported'")
    left_out = tuple(f"{row['workspace_id']}/{row['path']}" if row["workspace_id"] else row["path"] for row in rows)
    assert {place for place in lost(take.db.path, report, marker) if not place.startswith(left_out)} == set()
    assert report.differences == []


Document = Callable[[Maker], tuple[str, Any]]


def plan(m: Maker) -> tuple[str, Any]:
    state = whole_plan(m)
    return m.here(f"plans/{state['id']}/state.json"), state


def beside_a_plan(kind: str) -> Document:
    def document(m: Maker) -> tuple[str, Any]:
        state = legacy_store.plan(m)
        path = legacy_store.add_plan(m, state)
        made = {
            "review": lambda: legacy_store.envelope(m, "review", state),
            "handoff_a_to_b": lambda: legacy_store.handoff(m, "a", "b"),
            "original_request": lambda: legacy_store.request(m, state),
            "active_run_lane": lambda: legacy_store.lane(m, state, "active"),
            "stale_run_recovery": lambda: legacy_store.recovery(m, state),
        }
        return f"{path}/{kind}.json", made[kind]()

    return document


def of_a_program(name: str) -> Document:
    def document(m: Maker) -> tuple[str, Any]:
        made = [legacy_store.plan_v2(m), legacy_store.plan_v2(m)]
        for state in made:
            legacy_store.add_plan(m, state)
        path = m.here(f"programs/{legacy_store.program(m, [state['id'] for state in made])}/{name}.json")
        return path, json.loads(m.files[path])

    return document


def of_a_workspace(name: str) -> Document:
    def document(m: Maker) -> tuple[str, Any]:
        other = Maker(m.seed, f"app-{m.hex(12)}")
        path = f"/work/{other.workspace_id}"
        legacy_store.add_workspace(other, workspace_path=path, path=path, legacy_workspace_ids=[m.hex()])
        other.put(other.here("update_log.json"), [{"timestamp": m.time(), "action": "created", "data": {"n": 1}}])
        m.files |= other.files
        path = other.here(f"{name}.json")
        return path, json.loads(m.files[path])

    return document


def knowledge(m: Maker) -> tuple[str, Any]:
    slug = m.hex()
    return m.here(f"knowledge/{slug}.json"), legacy_store.knowledge(m, slug)


def event(m: Maker) -> tuple[str, Any]:
    made = legacy_store.event(m, tool_name="memory_plan")
    return f"events/{made['id']}.json", made


DOCUMENTS: dict[str, Document] = {
    "plan": plan,
    **{
        kind: beside_a_plan(kind)
        for kind in ("review", "handoff_a_to_b", "original_request", "active_run_lane", "stale_run_recovery")
    },
    **{name: of_a_program(name) for name in ("program", "manifest", "dependencies", "risks")},
    **{
        name: of_a_workspace(name)
        for name in ("workspace.meta", "workspace.context", "terminal-allowlist", "update_log")
    },
    "knowledge": knowledge,
    "event": event,
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_value_of_another_kind_in_every_place_of_a_file(take: Taker, tmp_path: Path, name: str) -> None:
    m, marker = Maker(4), Marker()
    for path in paths(DOCUMENTS[name](Maker(5))[1]):
        for kind in KINDS[:2] if name == "plan" else KINDS:
            file, document = DOCUMENTS[name](m)
            if path not in paths(document):  # lists are of any length
                continue
            m.put(file, replaced(document, path, marker.value(kind, f"{file} {'.'.join(map(str, path))} {kind}")))
    legacy_store.add_workspace(m)
    report = await take(legacy_store.put(tmp_path / "old", m.files))

    rows = await take.db.all("SELECT path FROM import_files WHERE status IN ('failed', 'duplicate')")
    told = {finding.path for finding in report.findings if finding.severity != "info"}
    assert {row["path"] for row in rows} <= told
    left_out = tuple(row["path"] for row in rows)
    left = {place for place in lost(take.db.path, report, marker) if not place.partition(" ")[0].endswith(left_out)}
    assert left == set()
    assert report.differences == []
    assert sum(report.files.values()) == len(m.files)
