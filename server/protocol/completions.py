"""MCP completions: what may stand for an argument of a prompt, or for a part of a resource's address."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import mcp.types as wire
from mcp import UriTemplate

from server.db.library import definitions
from server.db.search import matching_names
from server.db.steps import steps
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import InvalidArguments, NotFound
from server.models.library import LibraryKind
from server.protocol import prompts
from server.protocol.resources import TEMPLATES
from server.text.names import folded
from server.tools import TOOLS

MOST = 100  # values that the protocol lets an answer have

Others = Mapping[str, str]  # the other arguments that were filled in
Source = Callable[[Reader, str, Others], Awaitable[Iterable[str]]]


def _ids(kind: str) -> Source:
    async def found(db: Reader, text: str, others: Others) -> list[str]:
        home = others.get("workspace_id")
        return [one for one, _ in await matching_names.matching(db, kind, text, workspace_id=home, limit=MOST + 1)]

    return found


async def _plans(db: Reader, text: str, _: Others) -> list[str]:
    """Return titles; the id of a plan whose title others have, and where the id is what was begun."""
    near = await matching_names.matching(db, "plan", text, limit=MOST + 1)
    titles = [folded(title) for _, title in near]
    return [
        plan_id if titles.count(folded(title)) > 1 or (text and plan_id.startswith(text)) else title
        for plan_id, title in near
    ]


async def _workspaces(db: Reader, text: str, _: Others) -> list[str]:
    return [
        one.workspace_id
        for one in await workspaces.all_(db)
        if one.workspace_id.startswith(text) or folded(text) in folded(f"{one.label} {one.path}")
    ]


async def _agents(db: Reader, text: str, _: Others) -> list[str]:
    """Return who has worked, and the roles of the library."""
    worked = await matching_names.agents(db, text, limit=MOST)
    roles = [one.name for one in await definitions.all_(db, None, ["agent"])]
    return list(dict.fromkeys([*worked, *(name for name in roles if folded(text) in folded(name))]))


async def _indices(db: Reader, text: str, others: Others) -> list[str]:
    count = await steps.count(db, others["plan_id"]) if "plan_id" in others else 0
    return [str(index) for index in range(count) if str(index).startswith(text)]


async def _kinds(_: Reader, text: str, __: Others) -> list[str]:
    return [kind for kind in definitions.KINDS if kind.startswith(text)]


async def _definitions(db: Reader, text: str, others: Others) -> list[str]:
    told = others.get("kind")
    kinds: list[LibraryKind] = [kind for kind in definitions.KINDS if told in (None, kind)]
    found = [name for kind in kinds for name in sorted(await definitions.names(db, kind))]
    return [name for name in dict.fromkeys(found) if folded(text) in folded(name)]


async def _tools(_: Reader, text: str, __: Others) -> list[str]:
    return [name for name in TOOLS if text in name]


async def _actions(_: Reader, text: str, others: Others) -> list[str]:
    tools = [TOOLS[others["tool"]]] if others.get("tool") in TOOLS else TOOLS.values()
    return sorted({name for tool in tools for name in tool.actions if text in name})


SOURCES: Mapping[str, Source] = {
    "workspace_id": _workspaces,
    "workspace": _workspaces,
    "plan_id": _ids("plan"),
    "plan": _plans,
    "step_index": _indices,
    "program_id": _ids("program"),
    "document_id": _ids("document"),
    "slug": _ids("knowledge"),
    "session": _ids("session"),
    "agent": _agents,
    "to_agent": _agents,
    "kind": _kinds,
    "name": _definitions,
    "tool": _tools,
    "action": _actions,
}


async def complete(db: Reader, params: wire.CompleteRequestParams) -> wire.CompleteResult:
    """Return what an argument may be that begins like this; nothing for one that is free."""
    name, known = params.argument.name, _arguments(params.ref)
    if name not in known:
        raise InvalidArguments(f"{name[:80]!r} is no argument here; there are: {', '.join(known) or 'none'}.")
    source = SOURCES.get(name)
    others = (params.context.arguments if params.context else None) or {}
    values = list(await source(db, params.argument.value, others)) if source else []
    more = len(values) > MOST
    return wire.CompleteResult(
        completion=wire.Completion(values=values[:MOST], total=None if more else len(values), has_more=more)
    )


def _arguments(ref: wire.PromptReference | wire.ResourceTemplateReference) -> list[str]:
    if isinstance(ref, wire.PromptReference):
        prompt = prompts.find(ref.name)
        return [*prompt.needs, *prompt.takes]
    if ref.uri not in TEMPLATES:
        raise NotFound(f"There is no template {ref.uri[:200]!r}; there are: {', '.join(TEMPLATES)}.")
    return list(UriTemplate.parse(ref.uri).variable_names)
