"""memory_session: starting sub-agents."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import anyio
from pydantic import Field

from server.db.audit import events
from server.db.library import definitions
from server.db.plans import plan_notes
from server.db.sessions import sessions
from server.db.storage.connection import Transaction
from server.errors import TooLarge
from server.models.events import Event
from server.models.launch import ScopeBoundaries
from server.models.library import LibraryItem
from server.models.plans import PlanNote
from server.models.text import Id, OwnName, SomeText
from server.tools.common import Call
from server.tools.plan_rules import plan_of
from server.tools.render import MAX_BYTES, Result, length
from server.tools.session import agent_files
from server.tools.session.checkpoints import position
from server.tools.session.launch_prompt import LaunchFacts, compose
from server.tools.session.tool import TOOL

ROOM = 3_000  # bytes of a result for what stands beside the prompt
Boundaries = Annotated[
    ScopeBoundaries,
    Field(description="{files_allowed: [], directories_allowed: [], scope_escalation_instruction: ''}"),
]


@dataclass(frozen=True)
class Order:
    """A sub-agent as the caller wants it."""

    agent_name: str
    prompt: str
    plan_id: str | None
    boundaries: ScopeBoundaries = field(default_factory=ScopeBoundaries)


@TOOL.action(takes=("request",))
async def prep(
    call: Call,
    *,
    agent_name: OwnName,
    prompt: SomeText,
    plan_id: Id | None = None,
    scope_boundaries: Boundaries | None = None,
) -> Result:
    """Open a session for a sub-agent and write its prompt.

    Start the sub-agent with the `prompt` that comes back: where it is, its role, its session_id, how to claim, record
    and report, its limits, then your prompt word for word. Each sub-agent needs a prep of its own. agent_name is a role
    or any name. Your session becomes the parent, its plan the default. scope_boundaries: {files_allowed?: [...],
    directories_allowed?: [...], scope_escalation_instruction?}; they are told to the sub-agent, and enforced by nobody.

    Example: {"action":"prep","agent_name":"Executor","prompt":"Do the step 'index'","session_id":"sess_1rqewqexykb8"}
    """
    order = Order(agent_name, prompt, plan_id, scope_boundaries or ScopeBoundaries())
    ahead = await _ahead(call, order)
    async with call.write() as tx:
        launch = await _launch(call, tx, order, ahead)
        return Result(_parts(launch, compose(launch)), max_bytes=MAX_BYTES)


async def _deployed(call: Call, made: dict[str, Any]) -> Result:
    """Write the files of an agent whose session is open."""
    done = await anyio.to_thread.run_sync(partial(agent_files.write, **made["files"], force=call.shared.force))
    told = {"written": done.written, "kept": done.kept, "warnings": done.warnings}
    return Result({**made["parts"], **told}, max_bytes=MAX_BYTES)


@TOOL.action(destructive=True, takes=("force", "request"), then=_deployed)
async def deploy_and_prep(
    call: Call,
    *,
    agent_name: OwnName,
    prompt: SomeText,
    plan_id: Id | None = None,
    scope_boundaries: Boundaries | None = None,
) -> dict[str, Any]:
    """Prep, and write the agent's files to the workspace.

    What prep does for a role that is defined, and in .projectmemory/active_agents/<agent>/ its definition
    (<agent>.agent.md), prompt.md and context.json. A file that someone changed since is kept, unless force=true;
    `written` and `kept` name them. Symbolic links are refused.

    Example: {"action":"deploy_and_prep","agent_name":"Executor","prompt":"Do the step 'index'","agent":"Coordinator"}
    """
    order = Order(agent_name, prompt, plan_id, scope_boundaries or ScopeBoundaries())
    ahead = await _ahead(call, order)
    async with call.write() as tx:
        role = ahead.role
        if role is None:
            raise await definitions.missing(tx, "agent", agent_name, ahead.workspace_id)
        launch = await _launch(call, tx, order, ahead)
        agent_files.refuse_links(launch.workspace.folder, role.name)
        parts = _parts(launch, compose(launch))
        files = {
            "workspace_path": launch.workspace.path,
            "agent": role.name,
            "definition": role.file,
            "prompt": parts["prompt"],
            "context": _context(launch),
        }
        return {"parts": parts, "files": files}


@dataclass(frozen=True)
class Ahead:
    """What a sub-agent is told of its role and plan. It is read before the write lock is taken: it may be long."""

    workspace_id: str
    role: LibraryItem | None
    plan: dict[str, Any] | None = None
    notes: Sequence[PlanNote] = ()


async def _ahead(call: Call, order: Order) -> Ahead:
    session = await sessions.require(call.db, call.shared.session_id) if call.shared.session_id else None
    plan = await plan_of(call.db, order.plan_id, session)
    home = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    role = await definitions.find(call.db, "agent", order.agent_name, home)
    name = role.name if role else order.agent_name
    if plan is None:
        return Ahead(home, role)
    return Ahead(home, role, await position(call.db, plan), await plan_notes.waiting(call.db, plan.plan_id, name))


async def _launch(call: Call, tx: Transaction, order: Order, ahead: Ahead) -> LaunchFacts:
    """Open the session of a sub-agent, and gather what it has to know."""
    caller = tx.origin.session_id
    parent = await sessions.require(tx, caller) if caller else None
    plan = await plan_of(tx, order.plan_id, parent)
    workspace = await call.workspace(tx, plan.workspace_id if plan else None)
    role = ahead.role
    name = role.name if role else order.agent_name
    session = await sessions.insert(
        tx,
        workspace_id=workspace.workspace_id,
        agent=name,
        plan_id=plan.plan_id if plan else None,
        parent_session_id=caller,
        context={"prompt": order.prompt, "scope_boundaries": order.boundaries.told()},
    )
    told = f"{tx.origin.agent or 'someone'} prepared {name}: {' '.join(order.prompt.split())[:120]}"
    events.record(
        tx, Event("agent_session_started", "session", session.session_id, plan_id=session.plan_id, summary=told)
    )
    return LaunchFacts(
        session=session,
        parent=parent,
        workspace=workspace,
        role=role,
        plan=ahead.plan,
        notes=ahead.notes,
        boundaries=order.boundaries,
        task=order.prompt,
    )


def _parts(launch: LaunchFacts, text: str) -> dict[str, Any]:
    """Return the answer with the whole prompt, or refuse one that is too long for an answer."""
    session = launch.session
    parts = {"session_id": session.session_id, "workspace_id": session.workspace_id, "agent_name": session.agent}
    parts |= {"plan_id": session.plan_id, "prompt": text}
    if length(parts) > MAX_BYTES - ROOM:
        raise TooLarge(
            f"The launch prompt would take {length(parts)} bytes, more than a result holds ({MAX_BYTES - ROOM}). Put "
            "the long part into memory_context store, or a file, and name it in `prompt`."
        )
    return parts


def _context(launch: LaunchFacts) -> dict[str, Any]:
    """Return what the context file of a sub-agent holds."""
    told = {
        "session_id": launch.session.session_id,
        "parent_session_id": launch.session.parent_session_id,
        "workspace_id": launch.workspace.workspace_id,
        "workspace_path": launch.workspace.path,
        "plan": launch.plan,
        "scope_boundaries": launch.boundaries.told(),
        "created_at": launch.session.started_at,
    }
    return {name: value for name, value in told.items() if value}
