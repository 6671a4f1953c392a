"""The parameter types and the call object that all tools share."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from server.db.audit import events
from server.db.gates import gates
from server.db.sessions import sessions
from server.db.storage.connection import Database, Reader, Transaction
from server.db.workspaces import workspaces
from server.errors import Ambiguous, Conflict, InvalidArguments
from server.models.events import Origin
from server.models.text import AgentName, Id, Name, OwnName, Text
from server.models.workspaces import LegacyStore, Workspace
from server.processes import Processes
from server.registry import Action, Param, Tool, params_of
from server.settings import Settings
from server.text.names import is_reserved
from server.tools import plan_progress
from server.tools.approvals import gate_rules
from server.tools.approvals.callers import Caller
from server.tools.older_stores import Older, Progress
from server.tools.paths import absolute, fallback, holding
from server.tools.render import DEFAULT_BYTES, MAX_BYTES, MIN_BYTES, Budget, decode_cursor
from server.tools.requests import NOWHERE, Request
from server.waiting import Waits, is_long

DEFAULT_LIMIT = 20
BRIEFING_BYTES = 8_000
CONFIRM = "send the same call with confirm=true to do it; it goes to the trash for 30 days"
MAX_LIMIT = 200
CURSOR_LENGTH = 10_000  # a position may hold a name of 500 characters

WorkspacePath = Annotated[Text, Field(description="absolute path of the project")]
Agent = Annotated[AgentName, Field(description="who you are, without a session")]
Actor = Annotated[OwnName, Field(description="who you are, without a session")]
SessionId = Annotated[Id, Field(description="from memory_agent init")]
RequestId = Annotated[Name, Field(description="your UUID: a call sent twice is done once")]
MaxBytes = Annotated[int, Field(ge=MIN_BYTES, le=MAX_BYTES)]
Detail = Annotated[Literal["brief", "full"], Field(description="brief|full")]


@dataclass(frozen=True)
class Shared:
    """The parameters that many actions take. A handler reads them off its call."""

    workspace_id: Id | None = None
    workspace_path: WorkspacePath | None = None
    session_id: SessionId | None = None
    agent: Actor | None = None
    request_id: RequestId | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(max_length=CURSOR_LENGTH)] | None = None
    max_bytes: MaxBytes = DEFAULT_BYTES
    offset: Annotated[int, Field(ge=0, description="next_offset of a cut value")] = 0
    expected_version: Annotated[int, Field(ge=1)] | None = None
    claim_token: Annotated[int, Field(ge=1)] | None = None
    force: bool = False


SHARED = params_of(Shared)
BUNDLES: dict[str, tuple[Param, ...]] = {
    "identity": (SHARED["workspace_id"], SHARED["workspace_path"], SHARED["session_id"]),
    "actor": (SHARED["agent"],),
    "request": (SHARED["request_id"],),
    "budget": (SHARED["max_bytes"], SHARED["offset"]),
    "briefing": (replace(SHARED["max_bytes"], default=BRIEFING_BYTES),),
    "page": (SHARED["limit"], SHARED["cursor"]),
    "version": (SHARED["expected_version"],),
    "claim": (SHARED["claim_token"], SHARED["force"]),
    "force": (SHARED["force"],),
}
# What says who calls, from where, and how much it wants to read, but not what it does.
CIRCUMSTANCES = {"action", "claim_token", "request_id"} | {
    param.name for bundle in ("identity", "actor", "budget", "page", "version") for param in BUNDLES[bundle]
}
STEP: tuple[tuple[str, ...], ...] = (("step_id",), ("plan_id", "step_index"))


def tool(name: str, title: str, purpose: str) -> Tool:
    """Return a tool whose actions take the identity parameters, and the actor on writes."""
    return Tool(name, title, purpose, BUNDLES, always=("identity",), on_read=("budget",), on_write=("actor",))


@dataclass(frozen=True)
class Call:
    """What a running action may use besides its own arguments."""

    db: Database
    settings: Settings
    action: Action
    shared: Shared
    waits: Waits
    processes: Processes
    older: Older | None = None
    progress: Progress | None = None
    request: Request | None = None
    ending: AsyncExitStack = field(default_factory=AsyncExitStack)  # ends what has to last until the action returned
    notices: dict[str, Any] = field(default_factory=dict[str, Any])  # what the answer has to say besides
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    decided: list[str] = field(default_factory=list[str])  # ids of what only this call has to do
    can_ask: bool = False  # its client can put a question to the user
    caller: Caller = field(default_factory=Caller)

    @property
    def repeatable(self) -> dict[str, object]:
        """The call as it may be stored and repeated: who makes it, and how much it wants to read, aside."""
        told = {name: value for name, value in self.arguments.items() if name not in CIRCUMSTANCES}
        return {"tool": self.action.tool, "action": self.action.name, **dict(sorted(told.items()))}

    @property
    def relays(self) -> bool:
        """Whether its agent may pass a human's word on, as far as the server knows: its client cannot ask."""
        return not self.can_ask and self.settings.gates != gate_rules.STRICT

    @property
    def budget(self) -> Budget:
        return Budget(self.shared.max_bytes, self.shared.offset, has_pieces="offset" in self.action.params)

    async def greeting(self, workspace_id: str) -> LegacyStore | None:
        """Return the older store that an agent who arrives in a workspace should know of."""
        return await self.older.greet(workspace_id, self.progress) if self.older else None

    def after(self, order: str, length: int) -> list[str | int] | None:
        """Return the position behind which this page of a list starts, or None for the first page."""
        return decode_cursor(self.shared.cursor, order, length)

    @asynccontextmanager
    async def write(self, *, is_quick: bool = True) -> AsyncGenerator[Transaction]:
        """One transaction in the name of the actor: the change and its events, or nothing.

        It ends when the action has returned. Behind the body an action awaits nothing: it would hold the write lock.
        What may change hundreds of rows, or is long itself, is not quick, and leaves the loop to others meanwhile.
        """
        is_quick = is_quick and not is_long(self.arguments)
        session_id, agent = self.shared.session_id, self.shared.agent
        tx = await self.ending.enter_async_context(self.db.transaction(is_quick=is_quick))
        if self.request:
            self.request.tx = tx
        await gates.forget(tx)
        status: str | None = None
        if session_id:
            session = await sessions.arrived(tx, session_id)
            agent, status = agent or session.agent, session.status
        agent = self.caller.agent or agent
        if agent and is_reserved(agent) and not self.caller.is_person:
            raise InvalidArguments(f"The session {session_id} is of {agent!r}, a person. Open one of your own.")
        tx.origin = Origin(self.action.tool, self.action.name, session_id, agent, status, self.caller.token)
        yield tx
        await gate_rules.settle(self.db, tx, request=self.repeatable, relays=self.relays)
        self.notices.clear()
        self.notices.update(await plan_progress.notices(tx))
        await events.flush(tx)

    async def workspace(self, db: Reader, named: str | None = None) -> Workspace:
        """Return the workspace this call is about. `named` is the one of the plan, step, ... that it names."""
        return await workspaces.require(db, await self.workspace_id(db, named))

    async def workspace_id(self, db: Reader, named: str | None = None) -> str:
        """Like `workspace`, in as few queries as the arguments allow."""
        told = await self.told(db)
        if told and named and told != named:
            raise Conflict(
                f"The call says workspace {told!r}, but what it names belongs to {named!r}. Leave out workspace_id and "
                "workspace_path, or name something of that workspace."
            )
        found = told or named or await self.usual(db)
        if found is None:
            raise await self._ambiguous(db)
        if isinstance(db, Transaction):
            if self.request and db.workspace_id is None:
                await self.request.refuse_repetition(db, found)
            db.workspace_id = found
        return found

    async def some_workspace_id(self, db: Reader) -> str | None:
        """Like `workspace_id`, for what there is outside of workspaces, too: None if the call is about none."""
        if found := await self.told(db) or await self.usual(db):
            return await self.workspace_id(db, found)
        if self.request and isinstance(db, Transaction):
            await self.request.refuse_repetition(db, NOWHERE)
        return None

    async def usual(self, db: Reader) -> str | None:
        """Return the workspace that a call is about if it does not say."""
        return await self._of_session(db) or await self._fallback(db)

    async def told(self, db: Reader) -> str | None:
        """Return the workspace that the arguments name, or None if they name none."""
        by_id = (
            (await workspaces.require(db, self.shared.workspace_id)).workspace_id if self.shared.workspace_id else None
        )
        by_path = await self._at(db, self.shared.workspace_path) if self.shared.workspace_path else None
        if by_id and by_path and by_id != by_path:
            raise Conflict(
                f"workspace_id {by_id!r} and workspace_path {self.shared.workspace_path!r} (workspace {by_path!r}) "
                "disagree. Send one of them."
            )
        return by_id or by_path

    async def _at(self, db: Reader, path: str) -> str:
        if found := await holding(db, absolute(path, "workspace_path")):
            return found.workspace_id
        raise await self._unregistered(db, path)

    async def _unregistered(self, db: Reader, path: str) -> Ambiguous:
        from_list = [w.place for w in (await workspaces.all_(db))[:5]]
        return Ambiguous(
            f"{path!r} is in no registered workspace. memory_workspace action='register' workspace_path=... adds it.",
            workspaces=from_list,
        )

    async def _of_session(self, db: Reader) -> str | None:
        if self.shared.session_id is None:
            return None
        return (await sessions.require(db, self.shared.session_id)).workspace_id

    async def _fallback(self, db: Reader) -> str | None:
        found = await fallback(db, self.settings.workspace)
        return found.workspace_id if found else None

    async def _ambiguous(self, db: Reader) -> Ambiguous:
        if self.settings.workspace:
            return await self._unregistered(db, self.settings.workspace)
        known = [w.place for w in await workspaces.all_(db)]
        return Ambiguous(
            "No workspace was named, and the server's folder is in none. Send workspace_id or workspace_path"
            + (" of one of these." if known else "; none is registered: memory_workspace action='register' adds one."),
            workspaces=known[:20],
        )


def require_actor(tx: Transaction) -> str:
    """Return who acts, or refuse: a claim, a lease or a message has to say whose it is."""
    if actor := tx.origin.actor:
        return actor
    raise nobody()


def nobody() -> InvalidArguments:
    return InvalidArguments(
        "Say who you are: send session_id (from memory_agent action='init') or agent='your-name'.",
        missing=["session_id or agent"],
    )
