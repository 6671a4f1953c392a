"""Where an entry of the ledger belongs, which entries are meant, and what several of its actions take."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from server.db.ledger import entries
from server.db.ledger.entries import LedgerFilter, LedgerTable
from server.db.plans import phases, plan_overview, plans
from server.db.sessions import sessions
from server.db.steps import steps
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Record
from server.db.storage.list_totals import COUNTED
from server.errors import Conflict, InvalidArguments
from server.models.base import Row, as_dict
from server.models.ledger import BODIES
from server.models.plans import Plan
from server.models.steps import StepRow
from server.models.text import Lines, Moment
from server.tools.common import Call
from server.tools.plan_rules import plan_of
from server.tools.render import Page, reading

Since = Annotated[Moment, Field(description="ISO-8601")]
Texts = Annotated[Lines, Field(description="lines")]


def one_of(*values: str) -> AfterValidator:
    """Return what checks that a word is one of several: the schema of the tool tells one shape of each name."""

    def checked(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"must be one of: {', '.join(values)}")
        return text.lower()

    return AfterValidator(checked)


@dataclass(frozen=True)
class LedgerPlace:
    """What an entry is about: a step, else a plan, else the workspace."""

    workspace_id: str
    plan: Plan | None = None
    step: StepRow | None = None

    @property
    def plan_id(self) -> str | None:
        return self.plan.plan_id if self.plan else None

    @property
    def step_id(self) -> str | None:
        return self.step.step_id if self.step else None

    @property
    def ids(self) -> dict[str, str | None]:
        """The columns of an entry that names a step."""
        return {"workspace_id": self.workspace_id, "plan_id": self.plan_id, "step_id": self.step_id}

    @property
    def parent(self) -> dict[str, str | None]:
        """The columns of an entry that names a parent of whatever kind."""
        kind, parent_id = ("step", self.step_id) if self.step else ("plan", self.plan_id)
        if parent_id is None:
            kind, parent_id = "workspace", self.workspace_id
        return {
            "workspace_id": self.workspace_id,
            "plan_id": self.plan_id,
            "parent_type": kind,
            "parent_id": parent_id,
        }

    @property
    def told(self) -> dict[str, str | None]:
        return self.ids


async def place(call: Call, tx: Transaction, plan_id: str | None, step_id: str | None) -> LedgerPlace:
    """Return what a call is about: the step or plan that it names, else the plan of its session."""
    session = await sessions.require(tx, call.shared.session_id) if call.shared.session_id else None
    step = await steps.require(tx, step_id) if step_id else None
    if step and plan_id not in (None, step.plan_id):
        raise Conflict(f"step_id {step.step_id!r} is of plan {step.plan_id!r}, not of {plan_id!r}. Send step_id alone.")
    plan = await plan_of(tx, step.plan_id if step else plan_id, session)
    told = await call.told(tx)
    if plan and told and told != plan.workspace_id and not (step_id or plan_id):
        plan = None  # it is about another workspace than the plan of the session
    return LedgerPlace(await call.workspace_id(tx, plan.workspace_id if plan else None), plan, step)


async def of_plan(call: Call, tx: Transaction, plan_id: str) -> Plan:
    """Return a plan that can be changed, of the workspace that the call is about."""
    plan = await plans.require_live(tx, plan_id)
    await call.workspace_id(tx, plan.workspace_id)
    return plan


async def phase_id_of(tx: Transaction, where: LedgerPlace, phase: str | None) -> str | None:
    """Return the phase of the plan that a name means."""
    if phase is None:
        return None
    if where.plan is None or where.step is not None:
        raise InvalidArguments("'phase' names a phase of a plan: send plan_id with it, and no step_id.")
    return (await phases.require(tx, where.plan.plan_id, phase)).phase_id


async def wanted(
    call: Call, plan_id: str | None, step_id: str | None, *, by_parent: bool = False, **values: Any
) -> LedgerFilter:
    """Return the filter of a list: what a step or plan has, an archived one too, else all that the workspace has."""
    suffix = ""
    if step_id:
        step, suffix = await steps.find(call.db, step_id) or (await steps.require(call.db, step_id), "")
        if plan_id not in (None, step.plan_id):
            raise Conflict(f"step_id {step_id!r} is of plan {step.plan_id!r}, not of {plan_id!r}. Send step_id alone.")
        plan_id = step.plan_id
    plan = await plans.require(call.db, plan_id) if plan_id else None
    suffix = plan_overview.suffix_of(plan) if plan else ""
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    of_step = {"parent_type": "step", "parent_id": step_id} if by_parent else {"step_id": step_id}
    return LedgerFilter(workspace_id, {"plan_id": plan_id, **(of_step if step_id else {}), **values}, suffix=suffix)


def between(found: LedgerFilter, column: str, since: str | None, until: str | None) -> LedgerFilter:
    """Return a filter of what is in a span of time."""
    told = [
        *([f"t.{column} >= :since"] if since else []),
        *([f"t.{column} < :until"] if until else []),
    ]
    return also(found, told, {"since": since, "until": until})


def also(found: LedgerFilter, conditions: Sequence[str], params: Mapping[str, Any]) -> LedgerFilter:
    """Return a filter with further conditions."""
    return LedgerFilter(
        found.workspace_id,
        found.values,
        [*found.conditions, *conditions],
        {**found.params, **params},
        found.suffix,
    )


async def one(call: Call, table: LedgerTable, entity_id: str) -> Record:
    """Return the row that a call names, of the workspace that it is about."""
    row = await entries.require(call.db, table, entity_id)
    await call.workspace_id(call.db, row["workspace_id"])
    return row


async def listed(
    call: Call,
    key: str,
    table: LedgerTable,
    model: type[Row],
    found: LedgerFilter,
    *,
    full: bool,
    columns: str = "t.*",
    made: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Page:
    """Return a page of the entries that a filter means, newest first; without what is long, unless all is asked for."""
    after = call.after(key, 2)
    rows, total = await entries.page(call.db, table, found, after=after, limit=call.shared.limit + 1, columns=columns)
    shown = [model.of({**(made or as_dict)(as_dict(row))}) for row in rows]
    left_out: dict[str, Any] = {} if full else {name: _empty(model, name) for name in BODIES.get(key, ())}
    brief = shown if full else [row.model_copy(update=left_out | _implied(row)) for row in shown]
    moments = {getattr(one, table.key): row[table.moment] for one, row in zip(shown, rows, strict=True)}
    return Page(
        key,
        brief,
        total,
        call.shared.limit,
        lambda row: [moments[getattr(row, table.key)], getattr(row, table.key)],
        key,
        {"workspace_id": found.workspace_id},
        COUNTED,
        reading(f"memory_ledger {call.action.name}", table.key),
    )


def _implied(row: Row) -> dict[str, None]:
    """Return the fields of a row that only repeat the plan it names, or the workspace of the list."""
    is_implied = getattr(row, "parent_type", None) in ("plan", "workspace")
    return {"parent_type": None, "parent_id": None} if is_implied else {}


def _empty(model: type[Row], name: str) -> object:
    return [] if "list" in str(model.model_fields[name].annotation) else {}


async def find_named(db: Reader, table: LedgerTable, where: LedgerPlace, **values: Any) -> Record | None:
    """Return the row of a parent that has these values."""
    parent = where.parent
    return await entries.find(
        db,
        table,
        LedgerFilter(
            where.workspace_id, {"parent_type": parent["parent_type"], "parent_id": parent["parent_id"], **values}
        ),
    )
