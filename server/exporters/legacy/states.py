"""`state.json` of a plan: the imported one with the changes since, or a new one of version 2."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from server.exporters.legacy.entries import Change, Entry, Row, Table, fresh, listed, patch, patched
from server.importers.reading import list_of, object_of
from server.models.steps import CLOSED

LISTS = (("agent_sessions", "sessions"), ("lineage", "lineage"), ("build_scripts", "build_scripts"))
NO_PHASES = "initialization"
FINISHED = "complete"


def changed(original: Mapping[str, Any], known: Change) -> Entry:
    """Return a plan's state with everything that has changed since it was imported, and nothing else."""
    found = deepcopy(dict(original))
    [now] = known.now["plans"].values()
    before = known.before["plans"][now["plan_id"]]
    patch(found, "plans", before, now)
    if (status := _status(now)) != _status(before):
        found["status"] = status
    indices = _indices(original, known)
    _phases(found, known)
    new_indices = _steps(found, known, indices)
    for name, table in LISTS:
        listed(found, name, table, known)
    listed(found, "notes", "plan_notes", known, others=False)
    listed(found, "pending_notes", "plan_notes", known)
    _confirmations(found, known, indices, new_indices)
    _waits(found, known)
    if found.get("steps") != original.get("steps"):
        found["current_phase"] = _current_phase(known)
    return found


def new(known: Change) -> Entry:
    """Return the state of a plan that no import knows."""
    [now] = known.now["plans"].values()
    head = fresh("plans", now)
    tail = {
        name: head.pop(name) for name in ("created_at", "updated_at", "completed_at", "archived_at") if name in head
    }
    found: Entry = {"schema_version": "2.0", **head, "status": _status(now), "current_agent": None}
    found |= {"current_phase": _current_phase(known), **tail, "agent_sessions": [], "lineage": [], "phases": []}
    found |= {"steps": [], "confirmation_state": {"phases": {}, "steps": {}}, "pending_notes": []}
    _phases(found, known)
    new_indices = _steps(found, known, {})
    for name, table in (*LISTS, ("pending_notes", "plan_notes")):
        listed(found, name, table, known)
    _confirmations(found, known, {}, new_indices)
    _waits(found, known)
    return found


def _status(row: Row) -> str:
    return "archived" if row.get("archived_at") else row["status"]


def _ordered(table: Table) -> list[str]:
    return sorted(table, key=lambda key: table[key]["order_index"])


def _current_phase(known: Change) -> str:
    steps = known.now.get("steps", {})
    for key in _ordered(steps):
        if steps[key]["status"] not in CLOSED:
            return known.now["phases"][steps[key]["phase_id"]]["name"]
    return FINISHED if steps else NO_PHASES


# Phases


def _phases(found: Entry, known: Change) -> None:
    """Bring the list of phases up to date. A state without one gets it only when its steps do not tell the phases."""
    before, now = known.table("phases")
    if not isinstance(found.get("phases"), list):
        if _told_by_steps(known.before) != _told_by_steps(known.now):
            found["phases"] = [_phase(now[key], n) for n, key in enumerate(_ordered(now), 1)]
        return
    places = {key: place for key in before if (place := known.place("phases", key, "phases")) is not None}
    entries: list[Any] = found["phases"]
    for key, place in places.items():
        if key in now:
            entries[place] = patched(entries[place], "phases", before[key], now[key])
    old, order = _ordered(before), _ordered(now)
    if old == order:
        return
    if order[: len(old)] == old and len(places) == len(old):
        last = max((n for entry in entries if isinstance(n := object_of(entry).get("sequence"), int)), default=0)
        found["phases"] = [*entries, *(_phase(now[key], last + n) for n, key in enumerate(order[len(old) :], 1))]
        return
    found["phases"] = [
        {**entries[places[key]], "sequence": n} if key in places else _phase(now[key], n)
        for n, key in enumerate(order, 1)
    ]


def _phase(row: Row, number: int) -> Entry:
    entry = fresh("phases", row)
    return {"name": entry.pop("name"), "sequence": number, **entry}


def _told_by_steps(tables: Mapping[str, Table]) -> list[Any]:
    """Return what of the phases the steps alone do not tell: order, empty ones, and what they ask for."""
    phases, steps = tables.get("phases", {}), tables.get("steps", {})
    first = list(dict.fromkeys(steps[key]["phase_id"] for key in _ordered(steps)))
    more = ("description", "success_criteria", "required_agents", "approval_required")
    asked = [(key, [phases[key].get(name) for name in more]) for key in _ordered(phases)]
    return [
        [key for key in _ordered(phases) if key not in first],
        [key for key in _ordered(phases) if key in first] == first,
        [(key, values) for key, values in asked if any(values)],
    ]


# Steps


def _indices(original: Mapping[str, Any], known: Change) -> dict[str, int]:
    """Return the index of each imported step, as its file has it."""
    entries = list_of(original.get("steps"))
    found: dict[str, int] = {}
    for key in known.before.get("steps", {}):
        place = known.place("steps", key, "steps")
        if place is not None and place < len(entries):
            told: Any = object_of(entries[place]).get("index")
            found[key] = int(told) if str(told).lstrip("-").isdigit() and not isinstance(told, float) else place
    return found


def _steps(found: Entry, known: Change, indices: Mapping[str, int]) -> dict[str, int]:
    """Bring the steps up to date and return their indices: the old ones, unless steps were moved or taken out."""
    before, now = known.table("steps")
    old, order = _ordered(before), _ordered(now)
    entries = list_of(found.get("steps"))
    places = {key: place for key in before if (place := known.place("steps", key, "steps")) is not None}
    made = {key: entries[places[key]] if key in places else fresh("steps", now[key]) for key in order}
    for key in order:
        if key in before:
            patch(made[key], "steps", before[key], now[key])
        _name_phase(made[key], key, known)
    if order[: len(old)] == old:
        after = max(indices.values(), default=-1)
        new_indices = {**indices, **{key: after + n for n, key in enumerate(order[len(old) :], 1)}}
        added = [{"index": new_indices[key], **made[key]} for key in order[len(old) :]]
        if added:
            found["steps"] = [*entries, *added]
    else:
        start = min(indices.values(), default=0)
        new_indices = {key: start + n for n, key in enumerate(order)}
        rest = [entry for place, entry in enumerate(entries) if place not in places.values()]
        found["steps"] = [*({**_at_first(made[key]), "index": new_indices[key]} for key in order), *rest]
        made = {key: found["steps"][n] for n, key in enumerate(order)}
    if order[len(old) :] and order[: len(old)] == old:
        made |= {key: found["steps"][len(entries) + n] for n, key in enumerate(order[len(old) :])}
    _depends(made, known, indices, new_indices)
    return new_indices


def _at_first(entry: Entry) -> Entry:
    """Return an entry that has its index where a step has it."""
    return entry if "index" in entry else {"index": None, **entry}


def _name_phase(entry: Entry, key: str, known: Change) -> None:
    before, now = known.table("steps")
    name = known.now["phases"][now[key]["phase_id"]]["name"]
    if key not in before:
        place = {"phase": name, **entry}
        entry.clear()
        entry.update(place)
    elif name != known.before["phases"].get(before[key]["phase_id"], {}).get("name"):
        entry["phase"] = name


def _depends(made: Mapping[str, Entry], known: Change, old: Mapping[str, int], new_indices: Mapping[str, int]) -> None:
    """Write what steps wait for where that, or a number in it, has changed."""
    before, now = (_targets(table) for table in known.table("dependencies"))
    moved = any(new_indices.get(key) != index for key, index in old.items())
    for key, entry in made.items():
        wanted = sorted(new_indices[target] for target in now.get(key, ()) if target in new_indices)
        renumbered = moved and (wanted or entry.get("depends_on"))
        if renumbered or now.get(key, set()) != before.get(key, set()):
            entry["depends_on"] = wanted


def _targets(table: Table) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in table.values():
        if row["source_type"] == row["target_type"] == "step" and row["dep_type"] == "blocks":
            found.setdefault(row["source_id"], set()).add(row["target_id"])
    return found


# What else changes with them


def _confirmations(found: Entry, known: Change, old: Mapping[str, int], new_indices: Mapping[str, int]) -> None:
    """Bring the confirmations up to date, which go by the names of phases and the indices of steps."""
    before, now = known.table("confirmations")
    were = {key: _scope(row, known.before, old) for key, row in before.items()}
    are = {key: _scope(row, known.now, new_indices) for key, row in now.items()}
    if were == are:
        return
    state = object_of(found.get("confirmation_state")) or {"phases": {}, "steps": {}}
    left = [(key, place) for key, place in were.items() if are.get(key) != place]
    moved = {key: state.get(scope, {}).pop(name, None) for key, (scope, name) in left}
    for key, (scope, name) in are.items():
        if were.get(key) != (scope, name):
            entry = moved.get(key) or {"confirmed": True, **fresh("confirmations", now[key])}
            state.setdefault(scope, {})[name] = entry
    found["confirmation_state"] = state


def _scope(row: Row, tables: Mapping[str, Table], indices: Mapping[str, int]) -> tuple[str, str]:
    if phase_id := row.get("phase_id"):
        return "phases", tables["phases"][phase_id]["name"]
    return "steps", str(indices.get(row["step_id"], ""))


def _waits(found: Entry, known: Change) -> None:
    """Bring the plans that this one waits for up to date."""
    before, now = known.table("dependencies")
    [plan_id] = known.now["plans"]
    mine = {key: row["target_id"] for key, row in now.items() if _is_wait(row, plan_id)}
    gone = {row["target_id"] for key, row in before.items() if _is_wait(row, plan_id) and key not in mine}
    new_ones = [target for key, target in mine.items() if key not in before]
    if gone or new_ones:
        kept = [target for target in list_of(found.get("depends_on_plans")) if target not in gone]
        found["depends_on_plans"] = [*kept, *(target for target in new_ones if target not in kept)]


def _is_wait(row: Row, plan_id: str) -> bool:
    return (row["source_id"], row["target_type"], row["dep_type"]) == (plan_id, "plan", "blocks")
