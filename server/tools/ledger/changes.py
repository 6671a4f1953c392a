"""memory_ledger: how fields of a step changed, by the word of the program that it came from."""

from server.db.ledger import entries
from server.db.ledger.entries import LedgerFilter
from server.models.base import as_dict
from server.models.ledger import ToldChange
from server.models.text import Id, Line
from server.tools.common import Call
from server.tools.ledger.parameters import Since, between, listed, one, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page


@TOOL.action(read_only=True, takes=("page",))
async def list_changes(
    call: Call,
    *,
    change_id: Id | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    field: Line | None = None,
    since: Since | None = None,
    until: Since | None = None,
) -> Page | ToldChange:
    """What fields held before, newest first.

    As other programs told it of what came from them (an issue of Jira), and of artifacts. Of a step, a plan (an
    archived one too) or the workspace; of a field, in a span of time. change_id gives one whole.

    Example: {"action":"list_changes","step_id":"step_1rqewqexykb7","field":"status"}
    """
    if change_id:
        return ToldChange.of(as_dict(await one(call, entries.CHANGES, change_id)))
    found = await wanted(call, plan_id, step_id, field=field)
    values = {name: value for name, value in found.values.items() if name != "step_id"}
    about = {"entity_type": "step", "entity_id": step_id} if step_id else {}
    found = LedgerFilter(found.workspace_id, {**values, **about}, suffix=found.suffix)
    found = between(found, "changed_at", since, until)
    return await listed(call, "changes", entries.CHANGES, ToldChange, found, full=True)
