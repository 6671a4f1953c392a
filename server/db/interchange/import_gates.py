"""Gates that hold here: an import, whose source anybody may write to, neither takes one away nor opens it."""

import json
from collections.abc import Mapping
from typing import Any

from server.models.steps import CONFIRM_BEFORE_ACTIVE, CONFIRM_BEFORE_DONE

FLAGS = {
    "plans": ("phase_gates",),
    "phases": ("approval_required",),
    "steps": ("requires_confirmation", "requires_user_confirmation"),
}
TYPES = (*CONFIRM_BEFORE_DONE, *CONFIRM_BEFORE_ACTIVE)
LISTS = "required_gates"
NONE: frozenset[str] = frozenset()
DONE = frozenset({"status", "completed_at", "completed_by"})


def held(table: str, new: Mapping[str, Any], live: Mapping[str, Any]) -> frozenset[str]:
    """Return the columns of a row that stay as they are here, since the source does not know their gate."""
    names = {name for name in FLAGS.get(table, ()) if live[name] and not new.get(name)}
    if table == "steps" and live["type"] in TYPES and new.get("type") != live["type"]:
        names.add("type")
    if LISTS in new and set(json.loads(live[LISTS])) - set(json.loads(new[LISTS])):
        names.add(LISTS)
    is_opened = (
        table == "steps" and names and live["status"] not in (behind := _behind(live)) and new["status"] in behind
    )
    return frozenset(names) | (DONE if is_opened else NONE)


def _behind(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a step cannot be before its gate is open."""
    return ("done", "active") if live["type"] in CONFIRM_BEFORE_ACTIVE else ("done",)
