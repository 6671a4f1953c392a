"""memory_ledger: the words that plans are about, and the plans behind a word."""

from typing import Annotated, Any

from pydantic import AfterValidator

from server.db.audit import events
from server.db.ledger import entries, terms
from server.errors import InvalidArguments
from server.models.events import Event
from server.models.ledger import PlanTerm
from server.models.text import Id, Line
from server.text.names import composed
from server.tools.common import Call
from server.tools.ledger.parameters import listed, one_of, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

Kind = Annotated[Line, one_of("concept", "concern", "intent", "tag")]
Word = Annotated[Line, AfterValidator(composed)]


@TOOL.action(takes=("request",))
async def add_term(call: Call, *, term: Word, kind: Kind, plan_id: Id | None = None) -> dict[str, Any]:
    """Say what a plan is about.

    kind: concept, concern, intent or tag. Of the plan you name, or that of your session. A term that it has already
    (however it is spelled, large or small) changes nothing; an intent may stand there more than once.

    Example: {"action":"add_term","plan_id":"plan_1rqewqexykb7","term":"authentication","kind":"concept"}
    """
    async with call.write() as tx:
        where = await place(call, tx, plan_id, None)
        if where.plan is None:
            raise InvalidArguments("Which plan is it about? Send plan_id.", missing=["plan_id"])
        known = await terms.find(tx, where.plan.plan_id, kind, term) if kind != "intent" else None
        found = known
        if found is None:
            values = {"workspace_id": where.workspace_id, "plan_id": where.plan_id, "kind": kind, "term": term}
            found = PlanTerm.of(await entries.add(tx, entries.TERMS, values))
            data = {"term": term, "kind": kind}
            events.record(tx, Event("term_added", "term", found.term_id, plan_id=where.plan_id, data=data))
        told = {"term_id": found.term_id, "term": found.term, "kind": kind, "added": known is None}
        return {**told, "workspace_id": where.workspace_id, "plan_id": where.plan_id}


@TOOL.action(read_only=True, takes=("page",))
async def list_terms(call: Call, *, plan_id: Id | None = None, kind: Kind | None = None) -> Page:
    """What a plan, or all plans of the workspace, are about.

    Newest first; of one kind or all.

    Example: {"action":"list_terms","plan_id":"plan_1rqewqexykb7","kind":"concern"}
    """
    found = await wanted(call, plan_id, None, kind=kind)
    return await listed(call, "terms", entries.TERMS, PlanTerm, found, full=True)


@TOOL.action(read_only=True, takes=("page",))
async def find_by_term(call: Call, *, term: Word, kind: Kind | None = None) -> Page:
    """Plans that are about a term, archived ones too.

    However it is spelled, large or small; those changed last first.

    Example: {"action":"find_by_term","term":"authentication"}
    """
    workspace_id = await call.workspace_id(call.db)
    after = call.after("plans_by_term", 2)
    rows, total = await terms.plans_with(call.db, workspace_id, term, kind, after=after, limit=call.shared.limit + 1)
    places = {one.term_id: [one.updated_at, one.term_id] for one in rows}
    extra = {"workspace_id": workspace_id}
    return Page("plans", rows, total, call.shared.limit, lambda row: places[row.term_id], "plans_by_term", extra)
