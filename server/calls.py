"""One tool call from its arguments to the text of its result, whatever carries it."""

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from server import aliases
from server.db.sessions import sessions
from server.db.shared_state import requests
from server.db.storage.connection import Database
from server.db.storage.driver_errors import IdCollision
from server.errors import InvalidArguments, NotAllowed, ProjectMemoryError, UnknownAction
from server.models.base import encode
from server.registry import HELP, NAME_SHOWN, Bound, Tool, nearest
from server.settings import Settings
from server.store import Store
from server.tools import GROUPS, TOOLS, Tools
from server.tools.approvals.asking import Asker, supervised
from server.tools.approvals.callers import Caller
from server.tools.common import Call, Shared, nobody
from server.tools.older_stores import Older, Progress
from server.tools.render import MAX_BYTES, Budget, noticed, render
from server.tools.requests import NOWHERE, PINNING, Answered, Request, hash_of
from server.tools.wording import completed
from server.waiting import apart

logger = logging.getLogger(__name__)

ID_ATTEMPTS = 3


def offered(settings: Settings) -> Mapping[str, Tool]:
    """Return the tools that the settings let this server offer, by name."""
    if unknown := [name for name in settings.tools if name not in TOOLS and name not in GROUPS]:
        known = ", ".join((*GROUPS, *TOOLS))
        near = nearest(unknown[0], TOOLS) or nearest(f"memory_{unknown[0]}", TOOLS)
        mean = f" Did you mean {near}?" if near else ""
        raise InvalidArguments(f"--tools (PM_TOOLS) names {', '.join(unknown)}; there are: {known}.{mean}")
    wanted = {one for name in settings.tools or ("all",) for one in GROUPS.get(name, (name,))}
    return Tools(name for name in TOOLS if name in wanted)


async def answer(
    store: Store,
    tool: str,
    arguments: Mapping[str, object],
    *,
    asker: Asker | None = None,
    caller: Caller | None = None,
    whole: bool = False,
) -> dict[str, Any]:
    """Return what a call of any tool answers, for code of ours."""
    return json.loads(await run(store, TOOLS, tool, arguments, asker=asker, caller=caller, whole=whole))


async def run(
    store: Store,
    tools: Mapping[str, Tool],
    name: str,
    arguments: Mapping[str, object],
    *,
    older: Older | None = None,
    progress: Progress | None = None,
    asker: Asker | None = None,
    caller: Caller | None = None,
    whole: bool = False,
) -> str:
    """Run one tool call and return the text of its result. A `whole` one is as long as it is, whatever was asked."""
    try:
        by = caller or Caller()
        return await _run(
            store, tools, name, arguments, older=older, progress=progress, asker=asker, caller=by, whole=whole
        )
    except ProjectMemoryError as error:
        completed(error)
        raise


async def _run(
    store: Store,
    tools: Mapping[str, Tool],
    name: str,
    arguments: Mapping[str, object],
    *,
    older: Older | None,
    progress: Progress | None,
    asker: Asker | None,
    caller: Caller,
    whole: bool,
) -> str:
    if name not in tools:
        near = nearest(name, tools)
        raise UnknownAction(
            f"There is no tool {name[:NAME_SHOWN]!r}.{f' Did you mean {near!r}?' if near else ''} "
            f"Tools: {', '.join(sorted(tools))}."
        )
    tool, arguments = aliases.addressed(TOOLS, tools[name], arguments)
    bound = await apart(tool.bind, arguments)
    if bound.action.name == HELP:
        return render(await bound.action.handler(None, **bound.arguments), Budget(MAX_BYTES))
    caller.refuse(bound)
    if store.settings.read_only and bound.action.writes(bound.arguments):
        without = f"; without {bound.action.writes_with} this call writes nothing" if bound.action.writes_with else ""
        raise NotAllowed(f"This server was started with --read-only (PM_READ_ONLY); it refuses every write{without}.")
    shared = replace(Shared(**bound.shared), max_bytes=sys.maxsize) if whole else Shared(**bound.shared)
    db = await store.open()
    request = await _request(db, bound, shared, caller, store.settings.session_timeout)
    call = Call(
        db, store.settings, bound.action, shared, store.waits, store.processes, older, progress, request,
        arguments=arguments, can_ask=asker is not None, caller=caller,
    )  # fmt: skip
    return await supervised(call, asker, lambda: _attempt(call, bound.arguments))


async def _request(db: Database, bound: Bound, shared: Shared, caller: Caller, session_timeout: int) -> Request | None:
    """Return the request that the caller can send again, if it named one and this writes."""
    if shared.request_id is None or not bound.action.writes(bound.arguments):
        return None
    session = await sessions.get(db, shared.session_id, session_timeout) if shared.session_id else None
    agent = caller.agent or shared.agent or (session.agent if session else None)
    if agent is None:
        raise nobody()
    key = requests.Key(shared.request_id, agent, bound.action.tool, bound.action.name)
    told = {**bound.shared, **bound.arguments}
    return Request(key, hash_of(told), is_pinned=any(name in told for name in PINNING))


async def _attempt(call: Call, arguments: dict[str, Any]) -> str:
    """Run the action, again when a generated id was taken: the failed attempt was rolled back whole."""
    for _ in range(ID_ATTEMPTS - 1):
        try:
            return await _handled(call, arguments)
        except IdCollision:
            logger.info("a generated id was taken; running %s again", call.action.name)
    return await _handled(call, arguments)


async def _handled(call: Call, arguments: dict[str, Any]) -> str:
    try:
        result = await _written(call, arguments)
    except Answered as earlier:
        if call.action.then is None:
            return earlier.answer
        result = json.loads(earlier.answer)
    return render(await _followed(call, result) if call.action.then else result, call.budget)


async def _followed(call: Call, result: Any) -> object:
    """Do what is left once the action is committed. If that fails, the answer says so: what was stored stays so."""
    assert call.action.then
    try:
        return await call.action.then(call, result)
    except (ProjectMemoryError, OSError) as error:
        logger.warning("%s is stored, but what follows it failed: %s", call.action.name, error)
        told = completed(error) if isinstance(error, ProjectMemoryError) else error
        warning = f"This is stored, but what {call.action.name} does after it failed: {told}"
        return {**result, "warnings": [*result.get("warnings", ()), warning]}


async def _written(call: Call, arguments: dict[str, Any]) -> object:
    """Run the action in its transaction, and keep its answer there if the caller may ask for it again."""
    if call.request:
        await _recall(call, call.request)
    async with call.ending:
        result = noticed(await call.action.handler(call, **arguments), call.notices)
        if call.request and not _is_preview(result):
            await call.request.keep(encode(result) if call.action.then else render(result, call.budget))
    return result


async def _recall(call: Call, request: Request) -> None:
    """Raise Answered if the request was answered before, though what it names may be gone since."""
    kept = await requests.kept(call.db, request.key)
    if same := {home: earlier for home, earlier in kept.items() if request.is_same(earlier)}:
        home = await call.told(call.db) or (next(iter(same)) if request.is_pinned else await call.usual(call.db))
        home = home or NOWHERE
        if home in same:
            raise Answered(same[home].answer)


def _is_preview(result: object) -> bool:
    """Return whether nothing was done yet: the call is meant to be sent again, with `confirm`."""
    return isinstance(result, dict) and "preview" in cast(dict[str, object], result)
