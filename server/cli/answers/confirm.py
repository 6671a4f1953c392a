"""`approvals`, `confirm`, `reject`: what waits for a human, and a human's answer."""

import anyio

from server.cli import person
from server.cli.screen import QUIET, Cell, Column, Screen, Styled
from server.db.audit import events
from server.db.gates import approvals, gates
from server.db.plans import plans
from server.db.storage.connection import Database, Reader
from server.db.workspaces import workspaces
from server.errors import Conflict, NotFound
from server.models.approvals import HUMAN, Approval, Gate, ReachedGate, Word
from server.models.events import Origin
from server.settings import Flags, Settings, load_existing
from server.store import open_store
from server.text.display import shown
from server.tools.approvals import answers, gate_rules
from server.tools.commands import command

MOST = 200
SHOWN = 100  # characters of a name in a list
COLUMNS = (Column("ID"), Column("WHEN"), Column("WHAT", is_wide=True), Column("WHY", is_wide=True), Column("WHO"))


def answer(flags: Flags, wanted: str, *, yes: bool, note: str | None) -> int:
    """Show what a human is asked, take the answer, and record it; return the exit code."""
    chosen = load_existing(flags)
    verb = "confirm" if yes else "reject"
    person.refuse_agents(verb)
    target, lines = anyio.run(_question, chosen, wanted, yes)
    word = person.ask(lines, verb, note)
    Screen().line(anyio.run(_record, chosen, target, word, yes))
    return 0


async def _question(chosen: Settings, wanted: str, yes: bool) -> tuple[Approval | Gate, list[str]]:
    db = await open_store(chosen)
    try:
        target = await _find(db, wanted)
        if isinstance(target, Approval):
            return target, await answers.question(db, target)
        if not yes:
            raise NotFound(f"Nobody asked about {wanted}, so there is nothing to reject.")
        worked = ", ".join(target.workers) or "nobody so far"
        return target, [f"Confirm {target.label}", "Asked by: nobody", f"Worked on by: {worked}"]
    finally:
        await db.close()


async def _find(db: Reader, wanted: str) -> Approval | Gate:
    """Return what a whole id names: a row, the open row of a step or phase, or the step or phase itself."""
    if found := await approvals.find(db, wanted):
        return found
    if row := await approvals.open_for(db, wanted):
        return row
    if named := await gate_rules.named(db, [wanted]):
        await plans.require_live(db, named[0].plan_id)
        return named[0]
    raise NotFound(
        f"Nothing that waits has the id {wanted[:80]!r}. Give the whole id of an approval, a step or a phase: "
        "`approvals` lists what waits."
    )


async def _record(chosen: Settings, target: Approval | Gate, word: Word, yes: bool) -> str:
    """Record the answer in one short transaction, to what still waits."""
    db = await open_store(chosen)
    try:
        async with db.transaction() as tx:
            tx.origin = Origin("project-memory", "confirm" if yes else "reject", None, HUMAN)
            if isinstance(target, Gate):
                await answers.confirm(tx, await _unchanged(tx, target), word)
                told = f"Confirmed {shown(target.label)}."
            else:
                row = await approvals.require(tx, target.approval_id)
                done = await (answers.approve if yes else answers.reject)(tx, row, word)
                who = done.asked_by or "whoever asked"
                told = f"{done.approval_id} is {done.status}; {shown(who)} is told{' and can go on' if yes else ''}."
            await events.flush(tx)
        return told
    finally:
        await db.close()


async def _unchanged(db: Reader, gate: Gate) -> Gate:
    found = await gates.named(db, [gate.id])
    if not found or found[0].version != gate.version:
        raise Conflict(f"{gate.id} was changed while you were asked. Nothing was confirmed; look at it again.")
    return found[0]


def show(flags: Flags, *, as_json: bool) -> int:
    """Print what waits for a human in all workspaces."""
    chosen = load_existing(flags)
    rows, reached = anyio.run(_waiting, chosen)
    if as_json:
        told = [row.told() for row in rows] + [gate.model_dump(exclude_none=True) for gate in reached]
        Screen().json({"approvals": told})
        return 0
    _draw(Screen(), chosen, rows, reached)
    return 0


async def _waiting(chosen: Settings) -> tuple[list[Approval], list[ReachedGate]]:
    db: Database = await open_store(chosen)
    rows: list[Approval] = []
    reached: list[ReachedGate] = []
    try:
        for workspace in await workspaces.all_(db):
            asked, open_gates = await approvals.waiting(db, workspace.workspace_id, None, limit=MOST)
            rows, reached = [*rows, *asked], [*reached, *open_gates]
        return rows, reached
    finally:
        await db.close()


def _draw(screen: Screen, chosen: Settings, rows: list[Approval], reached: list[ReachedGate]) -> None:
    if not rows and not reached:
        screen.line("Nothing waits for you.")
        return
    screen.table(COLUMNS, [*(_asked(screen, row) for row in rows), *(_reached(screen, gate) for gate in reached)])
    screen.heading("")
    screen.unbroken(Styled("answer: ", QUIET), command(chosen, "confirm", "ID"))
    screen.unbroken(Styled("    or: ", QUIET), command(chosen, "reject", "ID"))


def _asked(screen: Screen, row: Approval) -> tuple[Cell, ...]:
    return row.approval_id, screen.when(row.created_at), row.what, row.why, row.asked_by or "?"


def _reached(screen: Screen, gate: ReachedGate) -> tuple[Cell, ...]:
    what = f"{gate.type} {gate.name[:SHOWN]!r} of {gate.plan!r}"
    return gate.id, screen.when(gate.since), what, "reached, and nobody asked yet", ""
