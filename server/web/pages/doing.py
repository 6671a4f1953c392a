"""Any action as a form, made of its signature; what it would do is shown before it destroys something."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from starlette.responses import Response

from server.errors import InvalidArguments, UnknownAction
from server.models.base import encode
from server.registry import HELP, Action
from server.tools import TOOLS
from server.web.pages import lists
from server.web.pages.forms import choices, editing, fields
from server.web.pages.visit import HOME, REQUEST, UNSEEN, WAS, Visit, back_to, local
from server.web.rendering import path_of

# What a call of a page does not say: who it is of is known, and how long an answer may be has no bound here.
UNASKED = frozenset(
    {"agent", "session_id", "max_bytes", "offset", "cursor", "confirm", "request_id", "workspace_path",
     "expected_version", "claim_token"}
)  # fmt: skip
CONFIRM = "confirm"
OF_STEP = frozenset({"plan_id", "step_index", "from_index"})  # which name a step in other words
MAKES = frozenset({"create", "create_from_template", "import", "clone_plan"})


async def ask(visit: Visit) -> Response:
    """Show the form of an action, with what the address says already."""
    action = _action(visit)
    known = {name: text for name, text in visit.request.query_params.items() if name != CONFIRM}  # a link is no word
    back = local(known.pop(HOME, "/"))
    _refuse_strange(action, known)
    filled = await editing.present(visit, action, known)
    offered = await choices.of(visit, action, known)
    shown = [
        fields.field(
            param,
            known.get(name, filled.get(name, "")),
            is_fixed=name in known and _names(name, filled),
            choices=offered.get(name, ()),
        )
        for name, param in action.params.items()
        if name in known or not _is_unasked(action, name, known)
    ]
    names = await visit.labels((kind, text) for name, text in known.items() if (kind := lists.kind_of(name)))
    once = secrets.token_hex(8) if REQUEST in action.params else ""
    return visit.page(
        "form.html", action=action, fields=shown, names=names, filled=filled, back=back, once=once, is_still=True
    )


def _names(name: str, filled: Mapping[str, str]) -> bool:
    """Whether a field says what a form is about, so that it is shown and not asked for."""
    return name.endswith("_id") or bool(filled)


def _is_unasked(action: Action, name: str, known: Mapping[str, str]) -> bool:
    if name == "workspace_id" and (action.tool, action.name) not in choices.ELSEWHERE:
        return any(one.endswith("_id") for one in known)
    return name in UNASKED or ("step_id" in known and name in OF_STEP)


async def run(visit: Visit) -> Response:
    """Run an action. One that wants to be confirmed is shown as a preview first."""
    action = _action(visit)
    sent = await visit.form()
    back = local(sent.get(HOME, "/"))
    unsaid = {HOME} if REQUEST in action.params else UNSEEN
    said, before = editing.changed({name: text for name, text in sent.items() if name not in unsaid})
    said = _of_its_content(said)
    arguments = _arguments(action, said, before)
    if _is_edit(sent) and not before:
        return back_to(back)
    await editing.refuse_overtaken(visit, action, sent, before)
    found = await visit.send(action.tool, action.name, arguments)
    if "preview" in found and CONFIRM not in sent:
        return visit.page("preview.html", action=action, found=found, sent=said, back=back)
    back = _made(action, found) or _left(action, sent, found, back)
    told = {name: value for name, value in found.items() if name == "warnings"}
    if not action.writes(arguments) or told:
        return visit.page("done.html", action=action, found=found, back=back)
    return visit.done({**sent, HOME: back}, action.tool, action.name, found)


def _of_its_content(said: Mapping[str, str]) -> dict[str, str]:
    """Return what is said with an id of the request that is of this very content.

    A form that is sent twice is done once; one that was changed before it is sent again is another request.
    """
    if not said.get(REQUEST):
        return dict(said)
    return {**said, REQUEST: sha256(encode(sorted(said.items())).encode("utf-8", "surrogatepass")).hexdigest()[:32]}


def _made(action: Action, found: Mapping[str, Any]) -> str | None:
    """Return the page of a plan or program that was made."""
    if action.name not in MAKES or not isinstance(made := found.get(f"{action.tool.removeprefix('memory_')}_id"), str):
        return None
    return path_of("p" if action.tool == "memory_plan" else "e", made)


def _left(action: Action, sent: Mapping[str, str], found: Mapping[str, Any], back: str) -> str:
    """Return the page that a form leads back to, or that of the workspace if it deleted what that page is of."""
    page = back.partition("?")[0].partition("#")[0].split("/")
    is_gone = action.name == "delete" and len(page) > 2 and page[2] in sent.values()
    return path_of("w", found["workspace_id"]) if is_gone and "workspace_id" in found else back


def _is_edit(sent: Mapping[str, str]) -> bool:
    return any(name.startswith(WAS) for name in sent)


def _action(visit: Visit) -> Action:
    tool, name = visit.path("tool"), visit.path("action")
    if tool not in TOOLS:
        raise UnknownAction(f"There is no tool {tool[:80]!r}. Tools: {', '.join(sorted(TOOLS))}.")
    action = TOOLS[tool].find(name)
    if action.name == HELP:
        raise UnknownAction("help is a call for agents: a page shows each action as a form.")
    return action


def _refuse_strange(action: Action, sent: Mapping[str, str]) -> None:
    unknown = sorted(sent.keys() - action.params.keys())
    if unknown:
        raise InvalidArguments(f"{action.tool} {action.name} has no parameter {unknown[0][:80]!r}.")


def _arguments(action: Action, sent: Mapping[str, str], before: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a form means: a field that is empty says nothing, unless it was filled before."""
    _refuse_strange(action, sent)
    given = {name: fields.value_of(action.params[name], text) for name, text in sent.items() if text.strip()}
    return given | {name: _nothing(action, name) for name in before if not sent[name].strip()}


def _nothing(action: Action, name: str) -> object:
    """Return what empties a field: those of other kinds than texts and lists cannot be empty."""
    kind = action.params[name].schema
    if kind["type"] == "array":
        return []
    return "" if kind["type"] == "string" and "enum" not in kind else None
