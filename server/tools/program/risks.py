"""memory_program: what may go wrong in a program."""

from collections.abc import Mapping
from typing import Any

from server.db.audit import events, trash
from server.db.plans import plans
from server.db.plans.plans import check_version
from server.db.programs import risk_detection, risks
from server.db.storage.connection import Transaction
from server.errors import InvalidArguments
from server.models.events import Event
from server.models.programs import FoundRisk, Likelihood, Program, Risk, RiskStatus, RiskType, Severity
from server.models.text import Id, Line, Text
from server.tools.common import Call
from server.tools.program.tool import TOOL
from server.tools.render import Page, Result
from server.tools.rules import program_rules

ORDER = "risks"
COLUMNS = {"risk_title": "title", "risk_type": "type", "plan_id": "source_plan_id"}  # where they differ
MOST_TOLD = 20


@TOOL.action(takes=("request",))
async def add_risk(
    call: Call,
    *,
    program_id: Id,
    risk_title: Line,
    description: Text | None = None,
    severity: Severity = "medium",
    likelihood: Likelihood | None = None,
    mitigation: Text | None = None,
    status: RiskStatus = "identified",
    risk_type: RiskType = "dependency_risk",
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Note what may go wrong.

    plan_id is the plan it comes from. status: identified (which is open), mitigated, accepted, resolved.

    Example: {"action":"add_risk","program_id":"prog_1rqewqexykb7","risk_title":"The old API goes in May",
    "severity":"high"}
    """
    async with call.write() as tx:
        program = await program_rules.live(call, tx, program_id)
        if plan_id:
            await plans.require(tx, plan_id)
        risk = await risks.insert(
            tx,
            program_id,
            title=risk_title,
            description=description,
            severity=severity,
            likelihood=likelihood,
            mitigation=mitigation,
            status=status,
            type=risk_type,
            source_plan_id=plan_id,
        )
        _record(tx, program, "risk_added", risk, f"Risk {risk_title!r} of {program.title!r} added")
        return {**_brief(risk), "workspace_id": program.workspace_id}


def _brief(risk: Risk) -> dict[str, Any]:
    shown = {"risk_id", "program_id", "title", "severity", "likelihood", "status", "plan_id", "version"}
    return {name: value for name, value in risk.model_dump(include=shown).items() if value is not None}


def _record(tx: Transaction, program: Program, kind: str, risk: Risk, summary: str, **data: Any) -> None:
    event = Event(kind, "risk", risk.risk_id, program.workspace_id, risk.plan_id, summary=summary, data=data)
    events.record(tx, event)


@TOOL.action(read_only=True, takes=("page",))
async def list_risks(
    call: Call,
    *,
    program_id: Id,
    status: RiskStatus | None = None,
    severity: Severity | None = None,
    risk_type: RiskType | None = None,
    plan_id: Id | None = None,
    risk_id: Id | None = None,
) -> Page | Risk:
    """Its risks, the most severe first.

    All filters have to fit. risk_id gives one risk whole.

    Example: {"action":"list_risks","program_id":"prog_1rqewqexykb7","status":"identified"}
    """
    program, limit = await program_rules.read(call, program_id), call.shared.limit
    if risk_id:
        return await _of(call, program_id, risk_id)
    filters = {"status": status, "severity": severity, "risk_type": risk_type, "plan_id": plan_id}
    found, total = await risks.page(call.db, program_id, after=call.after(ORDER, 2), limit=limit + 1, **filters)
    places = {risk.risk_id: place for risk, place in found}
    extra = {"program_id": program_id, "workspace_id": program.workspace_id}
    rows = [risk.model_copy(update={"program_id": None}) for risk, _ in found]
    return Page(ORDER, rows, total, limit, lambda risk: places[risk.risk_id], ORDER, extra)


@TOOL.action(takes=("version",))
async def update_risk(
    call: Call,
    *,
    risk_id: Id,
    risk_title: Line | None = None,
    description: Text | None = None,
    severity: Severity | None = None,
    likelihood: Likelihood | None = None,
    mitigation: Text | None = None,
    status: RiskStatus | None = None,
    risk_type: RiskType | None = None,
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Change a risk: status, mitigation, ...

    Only what you give is changed; "" empties a text.

    Example: {"action":"update_risk","risk_id":"risk_1rqewqexykb7","status":"mitigated","mitigation":"We moved first"}
    """
    given = {
        "risk_title": risk_title,
        "description": description,
        "severity": severity,
        "likelihood": likelihood,
        "mitigation": mitigation,
        "status": status,
        "risk_type": risk_type,
        "plan_id": plan_id,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise InvalidArguments(f"Nothing to change: give at least one of {', '.join(given)}.")
    async with call.write() as tx:
        before = await risks.require(tx, risk_id)
        program = await program_rules.live(call, tx, before.program_id)
        check_version(before.version, call.shared.expected_version, f"The risk {risk_id}")
        if plan_id:
            await plans.require(tx, plan_id)
        changes = _changes(before, wanted)
        after = await risks.update(tx, risk_id, changes) if changes else before
        names = [name for name in wanted if COLUMNS.get(name, name) in changes]
        if names:
            told = f"{before.status} -> {after.status}" if before.status != after.status else ", ".join(names)
            _record(tx, program, "risk_updated", after, f"Risk {after.title!r}: {told}", changed=names)
        return {**_brief(after), "workspace_id": program.workspace_id, "changed": names}


def _changes(before: Risk, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Return the columns that change."""
    fields = {"risk_title": "title"}
    values = {name: value if value != "" else None for name, value in wanted.items()}
    return {
        COLUMNS.get(name, name): value
        for name, value in values.items()
        if getattr(before, fields.get(name, name)) != value
    }


@TOOL.action(destructive=True, takes=("version",))
async def delete_risk(call: Call, *, risk_id: Id, confirm: bool = False) -> dict[str, Any]:
    """To the trash; preview unless confirm.

    One that does not matter any more is better resolved (update_risk). memory_workspace restore brings it back.

    Example: {"action":"delete_risk","risk_id":"risk_1rqewqexykb7"}
    """
    async with call.write() as tx:
        risk = await risks.require(tx, risk_id)
        program = await program_rules.live(call, tx, risk.program_id)
        check_version(risk.version, call.shared.expected_version, f"The risk {risk_id}")
        if not confirm:
            hint = "send the same call with confirm=true to do it; it goes to the trash for 30 days"
            return {"workspace_id": program.workspace_id, "preview": {"would_delete": _brief(risk), "hint": hint}}
        row = await risks.delete(tx, risk_id)
        trash_id = await trash.put(
            tx,
            entity_type="risk",
            entity_id=risk_id,
            title=risk.title,
            workspace_id=program.workspace_id,
            plan_id=None,
            rows={"program_risks": [row]},
        )
        _record(tx, program, "risk_deleted", risk, f"Risk {risk.title!r} deleted", trash_id=trash_id)
        parts = {"risk_id": risk_id, "program_id": risk.program_id, "workspace_id": program.workspace_id}
        return {**parts, "deleted": True, "trash_id": trash_id}


@TOOL.action()
async def auto_detect_risks(call: Call, *, program_id: Id) -> Result:
    """Find risks in the plans as they are now.

    Found: steps that are blocked or failed, or whose lease ran out; plans that are blocked or failed, or overdue, which
    is active with open steps and unchanged for 14 days; and circles of waiting. Each is one risk, however often it is
    found: again, it is told anew, and open again if it was resolved; mitigated and accepted ones stay so. What was
    found once and is no more becomes resolved.

    Example: {"action":"auto_detect_risks","program_id":"prog_1rqewqexykb7"}
    """
    await program_rules.read(call, program_id)
    found, scanned = await risk_detection.detect(call.db, program_id)  # before the lock, under which others wait
    async with call.write() as tx:
        program = await program_rules.live(call, tx, program_id)
        known = await risks.found(tx, program_id)
        added = [risk for risk in found if risk.key not in known]
        changed = [risk for risk in found if risk.key in known and _differs(known[risk.key], risk)]
        keys = {risk.key for risk in found}
        gone = [risk for key, risk in known.items() if key not in keys and risk.status != "resolved"]
        if added or changed or gone:
            await risks.put(tx, program_id, [*added, *changed])
            await risks.resolve(tx, [risk.risk_id for risk in gone])
            summary = f"{len(added)} risks of {program.title!r} found, {len(gone)} resolved"
            program_rules.record(
                tx, program, "risks_detected", summary,
                added=len(added), changed=len(changed), resolved=len(gone),
            )  # fmt: skip
        stored = await risks.found(tx, program_id)
        parts = {"program_id": program_id, "workspace_id": program.workspace_id, "plans_scanned": scanned}
        keys_changed = {risk.key for risk in changed}
        lists = {
            "added": [_brief(stored[risk.key]) for risk in added[:MOST_TOLD]],
            "changed": [risk.risk_id for key, risk in stored.items() if key in keys_changed],
            "resolved": [risk.risk_id for risk in gone],
        }
        counts = {"found": len(found), "risks_added": len(added), "unchanged": len(found) - len(added) - len(changed)}
        return Result({**parts, **counts, **lists}, f"memory_program action='list_risks' program_id={program_id!r}")


def _differs(known: Risk, found: FoundRisk) -> bool:
    """Return whether a risk has to be told anew, or opened again."""
    return known.status == "resolved" or (known.title, known.description) != (found.title, found.description)


async def _of(call: Call, program_id: str, risk_id: str) -> Risk:
    """Return a risk of a program whole."""
    risk = await risks.require(call.db, risk_id)
    if risk.program_id != program_id:
        raise InvalidArguments(f"The risk {risk_id} is of the program {risk.program_id}, not of {program_id}.")
    return risk
