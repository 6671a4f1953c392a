"""Which events may change what a page shows: `page.js` asks for the page anew after those alone."""

from collections.abc import Iterable

from server.models.events import TYPES

Names = dict[str, str]

# What the inbox is about. What is known, written or measured beside the work changes nothing there.
INBOX = ("approval", "message", "session", "step", "phase", "plan", "workspace", "gate", "lineage")
PROGRAMS = ("workspace", "program", "risk", "plan", "phase", "step")
LIBRARY = ("definition", "store")


def kinds(names: Iterable[str]) -> Names:
    """Return what says that a page is about events whose entity is first of all of some kinds, wherever that is."""
    wanted = frozenset(names)
    return {"data-types": " ".join(type_ for type_, ((entity, *_), _) in TYPES.items() if entity in wanted)}


def workspace(workspace_id: str) -> Names:
    """Return what says that a page is about all that is in a workspace."""
    return {"data-about": workspace_id}


def plans(workspace_id: str, plan_ids: Iterable[str], program_id: str | None = None) -> Names:
    """Return what says that a page is about plans: what names one of them, and what is of no plan in their workspace.

    What may go wrong in a program stands on the pages of all its plans.
    """
    about = [*plan_ids, program_id] if program_id else [*plan_ids]
    risks = kinds(["risk"]) if program_id else {}
    return {"data-about": " ".join(about), "data-workspace": workspace_id, **risks}
