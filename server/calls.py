"""One tool call from its arguments to the text of its result, whatever carries it."""

import logging
from collections.abc import Mapping
from typing import Any

from server.db.failures import IdCollision
from server.errors import InvalidArguments, NotAllowed, UnknownAction
from server.registry import HELP, NAME_SHOWN, Tool, nearest
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from server.tools.common import Call, Shared
from server.tools.older_stores import Older, Progress
from server.tools.render import MAX_BYTES, Budget, noticed, render

logger = logging.getLogger(__name__)

ID_ATTEMPTS = 3


def offered(settings: Settings) -> dict[str, Tool]:
    """Return the tools that the settings let this server offer, by name."""
    if unknown := [name for name in settings.tools if name not in TOOLS]:
        raise InvalidArguments(f"--tools (PM_TOOLS) names {', '.join(unknown)}; there are: {', '.join(TOOLS)}.")
    return {name: tool for name, tool in TOOLS.items() if not settings.tools or name in settings.tools}


async def run(
    store: Store,
    tools: Mapping[str, Tool],
    name: str,
    arguments: Mapping[str, object],
    *,
    older: Older | None = None,
    progress: Progress | None = None,
) -> str:
    """Run one tool call and return the text of its result."""
    if name not in tools:
        near = nearest(name, tools)
        raise UnknownAction(
            f"There is no tool {name[:NAME_SHOWN]!r}.{f' Did you mean {near!r}?' if near else ''} "
            f"Tools: {', '.join(sorted(tools))}."
        )
    bound = tools[name].bind(arguments)
    if bound.action.name == HELP:
        return render(await bound.action.handler(None, **bound.arguments), Budget(MAX_BYTES))
    if store.settings.read_only and bound.action.writes(bound.arguments):
        without = f"; without {bound.action.writes_with} this call writes nothing" if bound.action.writes_with else ""
        raise NotAllowed(f"This server was started with --read-only (PM_READ_ONLY); it refuses every write{without}.")
    shared = Shared(**bound.shared)
    call = Call(await store.open(), store.settings, bound.action, shared, store.waits, older, progress)
    return render(await _attempt(call, bound.arguments), call.budget)


async def _attempt(call: Call, arguments: dict[str, Any]) -> object:
    """Run the action, again when a generated id was taken: the failed attempt was rolled back whole."""
    for _ in range(ID_ATTEMPTS - 1):
        try:
            return await _handled(call, arguments)
        except IdCollision:
            logger.info("a generated id was taken; running %s again", call.action.name)
    return await _handled(call, arguments)


async def _handled(call: Call, arguments: dict[str, Any]) -> object:
    async with call.ending:
        result = noticed(await call.action.handler(call, **arguments), call.notices)
    return await call.action.then(call, result) if call.action.then else result
