"""Which events change what a page shows: a pattern of their JSON, after which `page.js` asks for the page anew.

The names of an event come in the order of `LoggedEvent`. A pattern that finds too many costs requests. What changes
with time alone is asked for twice a minute anyway.
"""

import re
from collections.abc import Iterable

from server.models.events import RAN_OUT, TYPES

Names = dict[str, str]

TEXT = r'"(?:[^"\\]|\\.)*"'
OF_NO_WORKSPACE = rf'"entity_id":{TEXT},(?!"workspace_id")'


def _of(*entities: str) -> frozenset[str]:
    """Return the types of events whose entity is first of all of some kinds."""
    return frozenset(type_ for type_, ((first, *_), _) in TYPES.items() if first in entities)


# What is done with a plan or a workspace, or beside it, and changes neither.
BESIDE = frozenset(
    {"calls_logged", "metrics_recorded", "plan_exported", "file_written", "files_reserved", "files_released",
     "workspace_scope_changed"}
)  # fmt: skip
HOLDING = frozenset(
    {"step_claimed", "step_reclaimed", "step_taken_over", "step_passed", "step_released", "lease_renewed"}
)
WORKSPACES = (_of("workspace") | {"imported"}) - BESIDE
PLANS = _of("plan", "phase", "step") - BESIDE
INBOX = (WORKSPACES | PLANS | _of("approval", "message") | {"program_plan_added", "program_plan_removed"}) - HOLDING
# The board begins with the plans that were changed last: all that touches one may change their order.
TOUCHING = _of("note", "program", "session", "lineage") | {"context_item_restored"}
BOARD = (PLANS | TOUCHING) - {"lease_renewed", "step_confirmed"}
PLACE = (
    BOARD | INBOX | HOLDING | _of("budget")
)  # the plans of a workspace, who is at work on them, and how much needs a person
PROGRAMS = WORKSPACES | PLANS | _of("program", "risk")
LIBRARY = _of("definition", "store")


def after(*ways: str) -> Names:
    """Return what a page says of the events that concern it: those that one of the patterns finds."""
    return {"data-concerns": "|".join(way for way in ways if way)}


def types(wanted: Iterable[str], within: Iterable[str] | None = None) -> str:
    """Return the pattern of events of some types, wherever they are or in some workspaces."""
    found = f'"type":"(?:{_one_of(wanted)})"'
    if within is None:
        return found
    return rf'{found},"entity_type":{TEXT},"entity_id":{TEXT},"workspace_id":"(?:{_one_of(within)})"'


def held_again(within: Iterable[str]) -> str:
    """Return the pattern of leases that had run out and live again: meanwhile nobody was shown to hold the step."""
    return rf'{types(["lease_renewed"], within)}.*"{RAN_OUT}":true'


def naming(ids: Iterable[str | None]) -> str:
    """Return the pattern of events that name something anywhere."""
    return _one_of(one for one in ids if one)


def workspace(workspace_id: str) -> Names:
    """Return what says that a page is about all that is in a workspace."""
    return after(naming([workspace_id]), OF_NO_WORKSPACE)


def plans(workspace_id: str, plan_ids: Iterable[str], program_id: str | None = None) -> Names:
    """Return what says that a page is about plans: what names one of them, and what is of no plan in their workspace.

    What may go wrong in a program stands on the pages of all its plans.
    """
    of_no_plan = rf'"workspace_id":"{re.escape(workspace_id)}",(?!"plan_id")'
    risks = types(_of("risk")) if program_id else ""
    return after(naming([*plan_ids, program_id]), of_no_plan, OF_NO_WORKSPACE, risks)


def _one_of(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(set(texts))))
