"""`.session_handoff.json` of every family as a hand-off: its body as it is, and what can be read out of it beside."""

from collections.abc import Iterable
from typing import Any

from server.importers.reading import is_list, is_object, list_of, object_of
from server.importers.values import Object
from server.importers.values import text as as_text
from server.importers.vibe_agency.project import NAME, Part

NOBODY = "unknown"
SUMMARY = 500  # characters of what a hand-off says first
LAYERS = ("layer0_bedrock", "layer1_runtime", "layer2_detail", "sessionInfo", "systemState", "workContext", "session")
FROM = ("from_agent", "from", "agent", "agentId", "agent_name")
TIMES = ("date", "timestamp", "created_at", "_verified_date", "lastUpdated")
STATES = ("state", "status", "phase")
BLOCKERS = ("blocker", "blockers", "p0_critical_blockers")
REASONS = ("completed_summary", "current_status", "_note", "summary", "next_session_briefing", "last_task", "completed")


def add(part: Part, value: Object) -> None:
    """Add a hand-off. Every version of the file is one of its own: the next import leaves those before it."""
    layers = [value, *(object_of(value[name]) for name in LAYERS if name in value)]
    session = next(
        (found for name in ("from_session", "session_id", "sessionId") if (found := _first(layers, name))), None
    )
    lineage_id = part.id("hand", part.path, part.sha256)
    part.add(
        "lineage",
        {
            "lineage_id": lineage_id,
            "workspace_id": part.workspace_id,
            "from_agent": _text(layers, FROM) or NOBODY,
            "to_agent": _text(layers, ("to_agent", "to")) or "",
            "reason": (_text(layers, REASONS) or "")[:SUMMARY],
            "state": _text(layers, STATES),
            "blocker": _text(layers, BLOCKERS),
            "schema_version": _text(layers, ("_schema_version", "schema_version")),
            "data": value,
            "source_system": NAME,
            "external_id": as_text(session) if session is not None else None,
            "created_at": part.moment(*(_first(layers, name) for name in TIMES)),
        },
        version=part.sha256[:12],
    )


def _first(layers: Iterable[Object], name: str) -> Any:
    """Return the first value of that name that says something."""
    return next((layer[name] for layer in layers if layer.get(name) not in (None, "", [], {})), None)


def _text(layers: list[Object], names: Iterable[str]) -> str | None:
    """Return the first value of these names as one line."""
    found = next((value for name in names if (value := _first(layers, name)) is not None), None)
    return None if found is None else _line(found)


def _line(value: Any) -> str:
    if is_list(value):
        return "; ".join(_line(one) for one in list_of(value))
    if is_object(value):
        told = object_of(value)
        return as_text(next((told[name] for name in ("title", "name", "id") if name in told), told))
    return as_text(value)
