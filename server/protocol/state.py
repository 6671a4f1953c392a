"""What lives as long as the server, whatever carries its messages, and the boundary where failures become answers."""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio

from server.calls import offered, run
from server.db.workspaces import workspaces
from server.errors import Internal, InvalidArguments, ProjectMemoryError
from server.jobs.background import Background
from server.models.approvals import Via
from server.models.base import encode
from server.protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS
from server.registry import Tool
from server.settings import Settings
from server.store import Store
from server.tools.approvals.asking import Answer, Asker, ClientNeeded, Question
from server.tools.approvals.callers import Caller
from server.tools.older_stores import Progress
from server.tools.render import MAX_BYTES, decode_cursor, encode_cursor

logger = logging.getLogger(__name__)

IDLE_CHECK_SECONDS = 30
MESSAGE_SHOWN = 4000
MOST_LISTED = 100
RESOURCE_TYPE = "text/markdown"
WORKSPACES = "memory://workspaces"
OUR_SIDE = ("busy", "schema_too_new", "storage", "internal")


@dataclass
class State:
    """What every call may use."""

    store: Store
    background: Background
    tools: Mapping[str, Tool]
    on_called: Callable[[str, object, float, str], None] | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Told:
    """What a tool call tells a model."""

    text: str
    is_error: bool = False
    code: str = ""  # of the error

    def result(self) -> dict[str, Any]:
        """Return its part of the result of `tools/call`."""
        return {"content": [{"type": "text", "text": self.text}], "isError": self.is_error}


class LaterAsker:
    """A client that can be asked, but by the SDK alone."""

    client = ""
    via: Via = "elicitation"

    def begin(self) -> None:
        raise ClientNeeded

    async def ask(self, question: Question) -> Answer | None:
        raise ClientNeeded


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[State]:
    """Keep the store and the jobs of a server for as long as the body runs."""
    store = Store(settings)
    state = State(store, Background(store), offered(settings))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(persist, "the idle check", partial(store.keep, IDLE_CHECK_SECONDS))
            for what, job in state.background.jobs():
                tasks.start_soon(persist, what, job)
            yield state
            tasks.cancel_scope.cancel()
    finally:
        await store.close()


async def persist(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Keep background work going: what fails there must not end the server."""
    while True:
        try:
            async with boundary(what):
                return await work()
        except ProjectMemoryError as error:
            logger.warning("%s begins anew: %s", what, error)
            await anyio.sleep(IDLE_CHECK_SECONDS)


@asynccontextmanager
async def boundary(what: str, *passing: type[Exception]) -> AsyncGenerator[None]:
    """Let errors of ours pass and turn any other into one: no text of an exception reaches a client."""
    try:
        yield
    except (ProjectMemoryError, *passing):
        raise
    except RecursionError as error:
        raise InvalidArguments("The arguments are nested too deeply. Send at most 100 levels.") from error
    except Exception as error:
        reference = secrets.token_hex(4)
        logger.exception("%s failed, reference %s", what, reference)
        message = f"{what} failed unexpectedly; what was not stored yet was rolled back. The log has it as {reference}."
        raise Internal(message) from error


async def call(
    state: State,
    name: str,
    arguments: Mapping[str, object],
    *,
    progress: Progress | None = None,
    asker: Asker | None = None,
    caller: Caller | None = None,
    passing: type[Exception] = ClientNeeded,
) -> Told:
    """Run a tool call and return what it tells, an error included; only what is `passing` is raised."""
    start = time.perf_counter()
    told = await _called(state, name, arguments, progress=progress, asker=asker, caller=caller, passing=passing)
    if state.on_called:
        state.on_called(name, arguments.get("action"), time.perf_counter() - start, told.code)
    return told


async def _called(
    state: State,
    name: str,
    arguments: Mapping[str, object],
    *,
    progress: Progress | None,
    asker: Asker | None,
    caller: Caller | None,
    passing: type[Exception],
) -> Told:
    try:
        async with boundary(name, passing):
            own = partial(run, older=state.background, progress=progress, asker=asker, caller=caller)
            return Told(carried(await own(state.store, state.tools, name, arguments)))
    except ProjectMemoryError as error:
        return failure(error)


def failure(error: ProjectMemoryError) -> Told:
    """Return what tells a model of an error."""
    text = carried(encode(error.payload()))
    if len(text.encode()) > MAX_BYTES:
        text = carried(encode({"error": {"code": error.code, "message": f"{str(error)[:MESSAGE_SHOWN]} ..."}}))
    return Told(text, is_error=True, code=error.code)


def carried(text: str) -> str:
    """An error quotes what was sent, and another program may have stored a lone surrogate: no wire carries one."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def error_object(error: ProjectMemoryError, **named: str) -> dict[str, Any]:
    """Return the error that tells a client of a failed request that is no tool call."""
    code = INTERNAL_ERROR if error.code in OUR_SIDE else INVALID_PARAMS
    return {"code": code, "message": str(error), "data": {**named, "code": error.code}}


async def resource_list(state: State, cursor: str | None = None) -> dict[str, Any]:
    """Return a page of the workspaces as resources, behind the list of them all; the others have templates."""
    after = decode_cursor(cursor, "resources", 2)
    found, _ = await workspaces.page(
        await state.store.open(), under=None, roots=False, after=after, limit=MOST_LISTED + 1
    )
    first = [] if after else [_resource(WORKSPACES, "workspaces", "All workspaces")]
    shown = found[:MOST_LISTED]
    listed = [_resource(f"{WORKSPACES}/{one.workspace_id}", one.name, one.path or "") for one in shown]
    more = (
        {"nextCursor": encode_cursor("resources", [shown[-1].name, shown[-1].workspace_id])}
        if found[MOST_LISTED:]
        else {}
    )
    return {"resources": [*first, *listed], **more}


def _resource(uri: str, name: str, description: str) -> dict[str, Any]:
    return {"uri": uri, "name": name, "description": description, "mimeType": RESOURCE_TYPE}
