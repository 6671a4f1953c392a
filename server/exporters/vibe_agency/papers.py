"""What the programs wrote beside their plans, as it is now: papers, texts, the hand-off to the next session."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from server.exporters.legacy.entries import Change, Entry, Row
from server.exporters.vibe_agency.patching import LOWER, ChangedFile, number, priority
from server.importers.reading import list_of

HANDOFF = ".session_handoff.json"
VERSION = "2.0_4layer"
TODOS = ("todos", "next_session_todos", "next_steps", "recommendations")
FILES = ("critical_files", "critical_files_to_understand", "files", "files_modified")


def paper(change: ChangedFile) -> None:
    """Bring a paper up to date: what it says is the data of its context item."""
    for _, was, now, _ in change.rows("context_items"):
        if now is not None and was["data"] != now["data"]:
            become(change.value, now["data"])


def become(value: Any, new: Any) -> None:
    """Make an object or a list say what another one says, and leave alone what says it already."""
    if isinstance(value, dict):
        for name in [name for name in cast(Entry, value) if name not in new]:
            del value[name]
        for name, item in new.items():
            if name in value and _is_like(value[name], item):
                become(value[name], item)
            elif name not in value or value[name] != item:
                value[name] = item
    elif isinstance(value, list) and value != new:
        value[:] = new


def _is_like(value: Any, new: Any) -> bool:
    return (isinstance(value, dict) and isinstance(new, dict)) or (isinstance(value, list) and isinstance(new, list))


def text(known: Change, path: str) -> str | None:
    """Return the text of a document that has changed."""
    for table, key in known.of_file(path, "research_documents"):
        was, now = known.before[table][key], known.now.get(table, {}).get(key)
        if now is not None and was["content"] != now["content"]:
            return str(now["content"])
    return None


def handoff(known: Change) -> Entry | None:
    """Return the newest hand-off of this database in the shape of their newest writers, if there is one."""
    made_here = [row for row in known.new("lineage").values() if row.get("source_system") is None]
    new = sorted(made_here, key=lambda row: str(row["created_at"]))
    if not new:
        return None
    last = new[-1]
    data: Entry = last["data"] if isinstance(last.get("data"), dict) else {}
    return {
        "_schema_version": VERSION,
        "layer0_bedrock": {
            "from": last["from_agent"], "date": last["created_at"], "state": last.get("state") or "in-progress",
            "blocker": last.get("blocker"),
        },
        "layer1_runtime": {
            "completed_summary": last["reason"], "todos": _first(data, TODOS), "critical_files": _first(data, FILES),
        },
        "layer2_detail": {"to": last["to_agent"], **data},
    }  # fmt: skip


def _first(data: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    return next((list_of(data[name]) for name in names if list_of(data.get(name))), list[Any]())


def roadmap(plan: Row, known: Change) -> Entry:
    """Return a plan that no file of theirs made as a roadmap of the newest shape."""
    plan_id = plan["plan_id"]
    steps = [row for row in known.now.get("steps", {}).values() if row["plan_id"] == plan_id]
    phases = [row for row in known.now.get("phases", {}).values() if row["plan_id"] == plan_id]
    ids = {row["step_id"]: row.get("external_id") or row["step_id"] for row in steps}
    waits = _waits(known, ids)
    return {
        "plan_id": plan_id,
        "roadmap_version": "1.0.0",
        "roadmap_name": plan["title"],
        "created_at": plan["created_at"],
        "description": plan.get("description") or "",
        "phases": [
            _phase(row, [one for one in _ordered(steps) if one["phase_id"] == row["phase_id"]], ids, waits)
            for row in _ordered(phases)
        ],
        "progress_tracking": {
            "current_phase": plan.get("current_phase"),
            "current_task": plan.get("current_focus"),
            "completed_tasks": [ids[row["step_id"]] for row in _ordered(steps) if row["status"] == "done"],
            "blocked_tasks": [ids[row["step_id"]] for row in _ordered(steps) if row["status"] == "blocked"],
        },
    }


def _ordered(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["order_index"])


def _waits(known: Change, ids: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in known.now.get("dependencies", {}).values():
        if row["source_id"] in ids and row["target_id"] in ids and row["dep_type"] == "blocks":
            found.setdefault(row["source_id"], []).append(ids[row["target_id"]])
    return found


def _phase(row: Row, steps: Sequence[Row], ids: Mapping[str, str], waits: Mapping[str, list[str]]) -> Entry:
    done = bool(steps) and all(step["status"] in ("done", "cancelled") for step in steps)
    return {
        "phase_id": row.get("external_id") or row["phase_id"],
        "phase_name": row["name"],
        "objective": row.get("objective") or row.get("description") or "",
        "status": "complete" if done else "pending",
        "tasks": [
            {
                "task_id": ids[step["step_id"]], "name": step["task"], "description": step.get("notes") or "",
                "status": LOWER.get(step["status"], step["status"]),
                "acceptance_criteria": step.get("acceptance_criteria") or [],
                "estimated_time_mins": number(step.get("estimated_minutes")),
                "priority": priority(step.get("priority"), "P2"),
                "dependencies": sorted(waits.get(step["step_id"], [])),
            }
            for step in steps
        ],
    }  # fmt: skip
