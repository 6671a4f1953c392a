"""Forms that change what is there: filled with how it is, and sending only what a person changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from server.errors import Conflict
from server.registry import Action
from server.web.pages.forms.fields import text_of
from server.web.pages.visit import WAS, Visit
from server.web.rendering import visible


@dataclass(frozen=True)
class Present:
    """The action that reads what another one changes, by which arguments, and where in its answer that stands."""

    tool: str
    action: str
    takes: tuple[str, ...]
    inside: str = ""
    also: Mapping[str, Any] = field(default_factory=dict[str, Any])


PRESENT: Mapping[tuple[str, str], Present] = {
    ("memory_plan", "update"): Present("memory_plan", "get", ("plan_id",), also={"detail": "full"}),
    ("memory_plan", "update_phase"): Present("memory_plan", "get", ("plan_id",), "phases", {"detail": "full"}),
    ("memory_plan", "set_plan_dependencies"): Present("memory_plan", "get_plan_dependencies", ("plan_id",)),
    ("memory_steps", "update"): Present("memory_steps", "get", ("step_id",)),
    ("memory_steps", "set_dependencies"): Present("memory_steps", "get", ("step_id",)),
    ("memory_program", "update"): Present("memory_program", "get", ("program_id",)),
    ("memory_context", "store"): Present("memory_context", "get", ("type", "parent_type", "parent_id")),
    ("memory_context", "knowledge_store"): Present("memory_context", "knowledge_get", ("slug", "workspace_id")),
    ("memory_library", "update"): Present("memory_library", "get", ("kind", "name")),
    ("memory_workspace", "set_display_name"): Present("memory_workspace", "info", ("workspace_id",)),
}


async def present(visit: Visit, action: Action, known: Mapping[str, str]) -> dict[str, str]:
    """Return how the fields of a form are now, by their names; none if it makes something new."""
    read = PRESENT.get((action.tool, action.name))
    if read is None or not known.get(read.takes[0]):
        return {}
    asked = {name: known[name] for name in read.takes if known.get(name)}
    found: dict[str, Any] = await visit.call(read.tool, read.action, **asked, **read.also)
    if read.inside:
        rows = cast(list[dict[str, Any]], found.get(read.inside, []))
        found = next((row for row in rows if known.get("phase") in (row["phase_id"], row["name"])), dict[str, Any]())
    elif len(found) == 1:
        (inner,) = found.values()
        found = cast(dict[str, Any], inner) if isinstance(inner, dict) else found
    wanted = [name for name in action.params if name not in known] if found else []
    return {name: visible(text_of(found.get(name))) for name in wanted}  # an answer leaves out what is empty


def changed(sent: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a form says without what was left as it was, and how the fields were that it does say."""
    before = {name.removeprefix(WAS): _plain(text) for name, text in sent.items() if name.startswith(WAS)}
    said = {name: text for name, text in sent.items() if not name.startswith(WAS)}
    new = {name: text for name, text in said.items() if before.get(name) != _plain(text)}
    return new, {name: before[name] for name in new if name in before}


async def refuse_overtaken(visit: Visit, action: Action, sent: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Refuse to put over each other what two have changed: only fields that somebody else has changed meanwhile.

    One that is already as it shall be was sent before.
    """
    fixed = {name: text for name, text in sent.items() if f"{WAS}{name}" not in sent and not name.startswith(WAS)}
    now = await present(visit, action, fixed) if before else {}
    for name, text in before.items():
        if _plain(now.get(name, text)) not in (text, _plain(sent[name])):
            raise Conflict(
                f"Somebody else changed {name!r} while you did, and nothing was stored. It is now: {now[name][:500]!r}."
            )


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
