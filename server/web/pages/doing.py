"""Any action as a form, made of its signature; what it would do is shown before it destroys something."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from server.errors import InvalidArguments, UnknownAction
from server.registry import HELP, Action, Param
from server.tools import TOOLS
from server.web.pages.visit import HOME, Visit, local

# What a call of a page does not say: who it is of is known, and how long an answer may be has no bound here.
UNASKED = frozenset({"agent", "session_id", "max_bytes", "offset", "cursor", "confirm", "request_id", "workspace_path"})
LONG = frozenset(
    {"description", "notes", "append_notes", "note", "content", "reason", "task", "pause_user_notes", "summary", "plan"}
)
CONFIRM = "confirm"


async def ask(visit: Visit) -> Response:
    """Show the form of an action, with what the address says already."""
    action = _action(visit)
    known = dict(visit.request.query_params)
    back = local(known.pop(HOME, "/"))
    _refuse_strange(action, known)
    fields = [_field(param, known) for name, param in action.params.items() if name not in UNASKED]
    return visit.page("form.html", action=action, fields=fields, back=back)


async def run(visit: Visit) -> Response:
    """Run an action. One that wants to be confirmed is shown as a preview first."""
    action = _action(visit)
    sent = await visit.form()
    back = local(sent.get(HOME, "/"))
    told_of = {name: value for name, value in sent.items() if name != HOME}
    arguments = _arguments(action, told_of)
    found = await visit.call(action.tool, action.name, **arguments)
    if "preview" in found and CONFIRM not in sent:
        return visit.page("preview.html", action=action, found=found, sent=told_of, back=back)
    told = {name: value for name, value in found.items() if name == "warnings"}
    if not action.writes(arguments) or told:
        return visit.page("done.html", action=action, found=found, back=back)
    return visit.done(sent, action.tool, action.name, found)


def _action(visit: Visit) -> Action:
    tool, name = visit.path("tool"), visit.path("action")
    if tool not in TOOLS:
        raise UnknownAction(f"There is no tool {tool[:80]!r}. Tools: {', '.join(sorted(TOOLS))}.")
    action = TOOLS[tool].find(name)
    if action.name == HELP:
        raise UnknownAction("help is a call for agents: a page shows each action as a form.")
    return action


def _field(param: Param, known: Mapping[str, str]) -> dict[str, Any]:
    """Return how a parameter is asked for."""
    said = param.describe()
    options = said.get("enum", ())
    kind = (
        "select" if options else {"boolean": "check", "integer": "number", "array": "lines"}.get(said["type"], "text")
    )
    if kind == "text" and (param.name in LONG or said["type"] == "object"):
        kind = "area"
    return {
        "name": param.name,
        "kind": kind,
        "options": options,
        "required": param.required,
        "hint": said.get("description", ""),
        "value": known.get(param.name, ""),
        "is_fixed": param.name.endswith("_id") and param.name in known,
        "default": "" if param.required or param.default in (None, (), False) else str(param.default),
    }


def _refuse_strange(action: Action, sent: Mapping[str, str]) -> None:
    unknown = sorted(sent.keys() - action.params.keys())
    if unknown:
        raise InvalidArguments(f"{action.tool} {action.name} has no parameter {unknown[0][:80]!r}.")


def _arguments(action: Action, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a form means: a field that is left empty says nothing."""
    _refuse_strange(action, sent)
    return {name: _value(action.params[name], text) for name, text in sent.items() if text.strip()}


def _value(param: Param, text: str) -> object:
    kind = param.schema["type"]
    if kind == "array" and not text.lstrip().startswith("["):
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind in ("array", "object", "boolean", "integer", "number"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text.replace("\r\n", "\n")
