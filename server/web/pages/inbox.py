"""The inbox: what needs a person, across workspaces, with the answer beside it."""

from typing import Any

from starlette.responses import Response

from server.db.audit import events
from server.db.gates import approvals
from server.errors import Conflict
from server.models.approvals import HUMAN, Approval, Word
from server.models.events import Origin
from server.tools.approvals import answers
from server.web.pages import live
from server.web.pages.visit import REQUEST, Visit

KINDS = ("approvals", "messages", "lost_leases", "stuck_steps", "silent_sessions")


async def show(visit: Visit) -> Response:
    """Show what needs the person, a workspace after the other; those with nothing to do are left out."""
    found = await visit.call("memory_workspace", "attention", everywhere=True)
    homes: list[dict[str, Any]] = found.get("workspaces", [])
    known = len(homes) or (await visit.call("memory_workspace", "list", limit=1))["total"]
    some = [_of_home(found, home) for home in homes]
    number = sum(found["totals"].values())
    checks = found.get("check", [])
    shown = sum(one["number"] for one in some) + len(checks)
    plans = {("plan", one["plan_id"]) for one in found.get("approvals", ()) if one.get("plan_id")}
    return visit.page(
        "inbox.html",
        workspaces=some,
        checks=checks,
        number=number,
        known=known,
        places=found["workspaces_total"],
        left_out=number - shown,
        titles=await visit.labels(plans),
        shows=live.after(live.types(live.INBOX), live.naming(_shown(found))),
    )


def _shown(found: dict[str, Any]) -> list[str | None]:
    """Return the steps and sessions that are shown: what else happens to them may end what they need."""
    rows: list[dict[str, Any]] = [row for kind in KINDS for row in found.get(kind, ())]
    return [row.get(name) for row in rows for name in ("step_id", "session_id", "claimed_by")]


def _of_home(found: dict[str, Any], home: dict[str, Any]) -> dict[str, Any]:
    """Return what needs a person in one workspace."""
    its = {kind: [one for one in found.get(kind, ()) if one["workspace_id"] == home["workspace_id"]] for kind in KINDS}
    return {**home, **its, "number": sum(map(len, its.values()))}


async def needs(visit: Visit, workspace_id: str) -> int:
    """Return how much needs a person in one workspace."""
    found = await visit.call("memory_workspace", "attention", workspace_id=workspace_id)
    return sum(int(str(found["totals"][kind]).rstrip("+")) for kind in KINDS)


async def reply(visit: Visit) -> Response:
    """Send the person's answer to a message, which then waits no more; to its agent, if that session has ended."""
    sent = await visit.form()
    message = visit.path("message")
    letter = {name: sent.get(name, "") for name in ("content", "workspace_id", REQUEST)} | {"thread_id": message}
    try:
        await visit.call("memory_session", "send_message", **letter, to_agent=sent.get("session") or sent.get("agent"))
    except Conflict:
        await visit.call("memory_session", "send_message", **letter, to_agent=sent.get("agent"))
    await visit.call("memory_session", "acknowledge", message_ids=[message], workspace_id=sent.get("workspace_id"))
    return visit.done(sent, "memory_session", "send_message")


async def answer(visit: Visit) -> Response:
    """Give the person's word to an approval that waits: yes or no, with a note for whoever asked.

    No action does that, since whoever can call one would then give it: this and the terminal call what is behind it.
    """
    sent = await visit.form()
    word = Word("dashboard", client="a browser", note=sent.get("note", "").strip() or None)
    db = await visit.database()
    async with db.transaction() as tx:
        is_yes = sent.get("answer") == "yes"
        tx.origin = Origin("project-memory", "confirm" if is_yes else "reject", None, HUMAN)
        row = await approvals.require(tx, visit.path("approval"))
        await (answers.approve if is_yes else answers.reject)(tx, row, word)
        await events.flush(tx)
    return visit.done({**sent, **(_gate(row) if is_yes else {})}, "memory_plan", "confirm" if is_yes else "reject")


def _gate(row: Approval) -> dict[str, str]:
    """Return what names the gate that an approval opens, for who takes it back."""
    if row.kind == "step":
        return {"confirmation_scope": "step", "step_id": row.entity_id}
    if row.kind == "phase":
        return {"confirmation_scope": "phase", "plan_id": row.plan_id or "", "confirm_phase": row.entity_id}
    return {}
