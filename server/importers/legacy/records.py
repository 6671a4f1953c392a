"""What a plan's state holds besides steps: sessions, lineage, notes, build scripts, confirmations."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from server.importers.legacy.building import PlanBuilder
from server.importers.legacy.survey import Survey
from server.importers.values import Fields, Object, callable_as, derived, fields
from server.models.plans import NoteType

NOTE_TYPES = get_args(NoteType)
NOBODY = "unknown"
LEFT_OPEN = "Still open in the older store; closed by its import."


def add_sessions(plan: PlanBuilder, at: str) -> None:
    for number, (where, value) in enumerate(plan.found.objects("agent_sessions")):
        session = fields(value, where, plan.found.teller)
        if session is None:
            continue
        session_id = session.word("session_id", derived("sess", plan.plan_id, number))
        fit = callable_as(session_id) == session_id
        if not fit or not plan.survey.take("session", session_id):
            other = derived("sess", plan.plan_id, number, session_id)
            session.left["session_id"] = session_id
            what = "another session has that id" if fit else "no id that a tool can be asked for"
            plan.found.teller.warn(f"{where}.session_id", what, session_id, other)
            session_id = other
        plan.add("sessions", session_id, _session(plan, session, session_id, at), where)


def _session(plan: PlanBuilder, session: Fields, session_id: str, at: str) -> Object:
    """Return a session. One that was never completed is orphaned: nobody is at work in it any more."""
    started_at = session.moment("started_at", at)
    completed_at = session.maybe_moment("completed_at")
    summary = session.text("summary")
    if completed_at is None:
        session.teller.info(f"{session.at}.completed_at", "still open; it counts as orphaned", None, "orphaned")
    return {
        "session_id": session_id,
        "workspace_id": plan.workspace_id,
        "plan_id": plan.plan_id,
        "agent": session.word("agent_type", NOBODY),
        "parent_session_id": session.text("parent_session_id"),
        "status": "completed" if completed_at else "orphaned",
        "summary": summary if completed_at or summary else LEFT_OPEN,
        "artifacts": session.strings("artifacts"),
        "context": session.object("context"),
        "started_at": started_at,
        "last_seen_at": max(started_at, completed_at or ""),
        "completed_at": completed_at,
        "extra": session.extra(),
        "created_at": started_at,
        "updated_at": max(started_at, completed_at or ""),
        "version": 1,
    }


def add_lineage(plan: PlanBuilder, at: str) -> None:
    seen: dict[str, int] = {}
    for where, value in plan.found.objects("lineage"):
        entry = fields(value, where, plan.found.teller)
        if entry is None:
            continue
        values = {
            "workspace_id": plan.workspace_id,
            "plan_id": plan.plan_id,
            "session_id": entry.text("session_id"),
            "from_agent": entry.word("from_agent", NOBODY),
            "to_agent": entry.word("to_agent", NOBODY),
            "reason": entry.text("reason", ""),
            "data": entry.object("data"),
            "created_at": entry.moment("timestamp", at),
        }
        same = derived("hand", plan.plan_id, values["created_at"], values["from_agent"], values["to_agent"])
        seen[same] = number = seen.get(same, 0) + 1
        lineage_id = same if number == 1 else derived("hand", same, number)
        plan.add("lineage", lineage_id, {"lineage_id": lineage_id, **values, "extra": entry.extra()}, where)


def add_notes(plan: PlanBuilder, at: str) -> None:
    """Add what waited to be delivered, and the remarks of recovered plans."""
    for name in ("pending_notes", "notes"):
        for number, (where, value) in enumerate(plan.found.objects(name)):
            plain = isinstance(value, str)
            note = (
                Fields({"note": value}, where, plan.found.teller) if plain else fields(value, where, plan.found.teller)
            )
            if note is None:
                continue
            written = note.text("note") if "note" in note else note.text("content", "")
            added_at = at if plain else note.moment("added_at", at)
            note_id = derived("note", plan.plan_id, name, number)
            values = {
                "note_id": note_id,
                "plan_id": plan.plan_id,
                "note": written or "",
                "note_type": "info" if plain else note.choice("type", NOTE_TYPES, {}, "info"),
                "deliver_to": note.text("deliver_to"),
                "added_by": note.text("added_by"),
                "extra": note.extra(),
                "created_at": added_at,
                "updated_at": added_at,
            }
            plan.add("plan_notes", note_id, values, where)


def add_scripts(plan: PlanBuilder, listed: Sequence[tuple[str, Any]], at: str) -> None:
    for number, (where, value) in enumerate(listed):
        script = fields(value, where, plan.found.teller)
        if script:
            script_id = derived("script", plan.plan_id, number)
            values = script_columns(
                plan.survey, script, script_id, workspace_id=plan.workspace_id, plan_id=plan.plan_id, at=at
            )
            plan.add("build_scripts", values["script_id"], values, where)


def script_columns(
    survey: Survey, script: Fields, fallback: str, *, workspace_id: str, plan_id: str | None, at: str
) -> Object:
    """Return the columns of a build script."""
    script_id = script.word("id", fallback)
    if not survey.take("script", script_id):
        script.left["id"] = script_id
        script.teller.warn(f"{script.at}.id", "another build script has that id", script_id, fallback)
        script_id = fallback
    for name, own in (("plan_id", plan_id), ("workspace_id", workspace_id)):
        if script.keep(name) == own:
            script.raw(name)
    created_at = script.moment("created_at", at)
    return {
        "script_id": script_id,
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "name": script.word("name", script_id),
        "description": script.text("description"),
        "command": script.text("command", ""),
        "directory": script.word("directory", "."),
        "extra": script.extra(),
        "created_at": created_at,
        "updated_at": script.maybe_moment("updated_at") or created_at,
    }


def add_confirmations(plan: PlanBuilder, by_index: dict[int, str], at: str) -> None:
    """Add what was confirmed; what names no phase or step of the plan stays in extra."""
    state = plan.found.keep("confirmation_state")
    if not isinstance(state, dict):
        plan.found.object("confirmation_state")
        return
    left: Object = {name: value for name, value in cast(Object, state).items() if name not in ("phases", "steps")}
    by_step = {str(index): step_id for index, step_id in by_index.items()}
    for scope, ids in (("phases", plan.phase_ids), ("steps", by_step)):
        entries = cast(Object, state).get(scope)
        if not isinstance(entries, dict):
            left |= {scope: entries} if entries else {}
            continue
        for name, value in cast(Object, entries).items():
            where = f"$.confirmation_state.{scope}[{name!r}]"
            if not _confirm(plan, where, scope, target=ids.get(name), value=value, at=at):
                left.setdefault(scope, {})[name] = value
    plan.found.raw("confirmation_state")
    if left:
        plan.found.left["confirmation_state"] = left


def _confirm(plan: PlanBuilder, where: str, scope: str, *, target: str | None, value: Any, at: str) -> bool:
    """Add one confirmation, or return False if it is none of ours."""
    found = Fields(cast(Object, value), where, plan.found.teller) if isinstance(value, dict) else None
    if found is None or found.keep("confirmed") is not True:
        plan.found.teller.info(where, "not confirmed; kept in extra", value)
        return False
    if target is None:
        plan.found.teller.warn(where, f"no such {scope[:-1]} in the plan; kept in extra", value)
        return False
    found.raw("confirmed")
    confirmation_id = derived("conf", plan.plan_id, target)
    values = {
        "confirmation_id": confirmation_id,
        "plan_id": plan.plan_id,
        "phase_id": target if scope == "phases" else None,
        "step_id": target if scope == "steps" else None,
        "confirmed_by": found.text("confirmed_by"),
        "via": found.text("via") or "unknown",
        **{name: found.text(name) for name in ("relayed_by", "client", "note")},
        "created_at": found.moment("confirmed_at", at),
    }
    plan.add("confirmations", confirmation_id, values | {"extra": found.extra()}, where)
    return True
