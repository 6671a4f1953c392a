"""The plan templates that ship with the server, `catalog/templates/*.json`."""

from functools import cache
from typing import Any

from server.errors import InvalidArguments
from server.models.plans import Template
from server.registry import nearest
from server.settings import ASSETS
from server.text.names import folded
from server.tools.plan.drafts import PlanDraft


@cache
def load() -> dict[str, Template]:
    """Return every template by name."""
    files = sorted((ASSETS / "catalog" / "templates").glob("*.json"))
    templates = [Template.model_validate_json(path.read_text(encoding="utf-8")) for path in files]
    return {template.name: template for template in templates}


def require(name: str) -> Template:
    """Return a template by its name, or refuse with the names there are."""
    known = load()
    if found := next((template for key, template in known.items() if folded(key) == folded(name)), None):
        return found
    near = nearest(name, known)
    raise InvalidArguments(
        f"There is no template {name!r}.{f' Did you mean {near!r}?' if near else ''} Templates: {', '.join(known)}."
    )


def applied(template: Template, draft: PlanDraft) -> PlanDraft:
    """Return a draft on top of a template: its phases come first, what the draft says replaces what it says."""
    said = {name: value for name, value in draft.columns.items() if value is not None}
    usual = {"category": template.category, "goals": template.goals, "success_criteria": template.success_criteria}
    draft.columns = {**usual, **said}
    draft.phases = [*template.phases, *draft.phases]
    return draft


def shown(template: Template, *, full: bool) -> dict[str, Any]:
    """Return what a list of templates says of one."""
    steps = [
        {"phase": phase.name, "task": step.task, "type": step.type} for phase in template.phases for step in phase.steps
    ]
    brief = {
        "template": template.name,
        "category": template.category,
        "description": template.description,
        "phases": [phase.name for phase in template.phases],
        "steps_total": len(steps),
    }
    more = {"goals": template.goals, "success_criteria": template.success_criteria, "steps": steps}
    return {**brief, **more} if full else brief
