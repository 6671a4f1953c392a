"""What is behind a gate, before a transaction and after it: the one place that knows when a gate opens.

A gate is an open step that needs a human's confirmation, or a phase whose approval is asked for, as long as nobody
confirmed it. It holds itself (a step), the steps of later phases (a phase), and everything that waits for what it
holds. Triggers on the connection that writes note what a transaction did to steps, phases and dependencies that may
be held; only what they noted is looked at, on this connection as it will be, on the reader as it was.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from server.db.audit.trash import HELD
from server.db.dependencies.dependencies import Node
from server.db.gates import trashed_gates
from server.db.gates.approvals import GATED_PHASE, IS_GATE, WAITS
from server.db.storage.connection import Database, Reader, Transaction
from server.db.storage.driver import Record
from server.models.approvals import Gate
from server.models.base import as_dict, encode

Gone = tuple[str, str | None]  # a gate, and its plan if that is gone as well
How = Literal["done", "begun", "dropped", "passed", "completed"]
TOUCHED = """
    CREATE TEMP TABLE gate_touched (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT
"""
BLOCKS = "d.dep_type = 'blocks' AND d.dep_status = 'pending'"


def _own(row: str) -> str:
    return IS_GATE.replace("s.", f"{row}.")


# A step may be held by itself, by what it or what is around it waits for, or by an earlier phase.
MAY_BE_HELD = f"""(
    {_own("NEW")} OR NEW.waits_for > 0
    OR EXISTS (SELECT 1 FROM dependencies d WHERE d.source_type = 'phase' AND d.source_id = NEW.phase_id AND {BLOCKS})
    OR EXISTS (SELECT 1 FROM dependencies d WHERE d.source_type = 'plan' AND d.source_id = NEW.plan_id AND {BLOCKS})
    OR EXISTS (
        SELECT 1 FROM plans l JOIN dependencies d ON d.source_type = 'program' AND d.source_id = l.program_id
        WHERE l.plan_id = NEW.plan_id AND {BLOCKS})
    OR EXISTS (
        SELECT 1 FROM phases g JOIN plans l ON l.plan_id = g.plan_id
        WHERE g.plan_id = NEW.plan_id AND {GATED_PHASE}
          AND g.order_index < (SELECT p.order_index FROM phases p WHERE p.phase_id = NEW.phase_id))
)"""
JOINS = """
    NEW.status NOT IN ('done', 'cancelled') AND EXISTS (SELECT 1 FROM confirmations c WHERE c.phase_id = NEW.phase_id)
"""
SHAPE = ("type", "requires_confirmation", "requires_user_confirmation")
EDGE = ("dep_type", "source_type", "source_id", "target_type", "target_id")
WAITED = "OLD.dep_type = 'blocks' AND OLD.dep_status = 'pending'"


def _differs(columns: Iterable[str]) -> str:
    return "(" + " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns) + ")"


def _goes(kind: str) -> str:
    """The condition that a row goes, and not only back from the archive."""
    return f"NOT EXISTS (SELECT 1 FROM {kind}s x WHERE x.{kind}_id = OLD.{kind}_id)"


def _asked(row: str) -> str:
    """The condition that something of the plan of a row waits for a human's word."""
    return (
        f"EXISTS (SELECT 1 FROM approvals a WHERE a.plan_id = {row}.plan_id AND a.status = 'open') OR EXISTS ("
        f"SELECT 1 FROM approvals a WHERE a.entity_id = {row}.plan_id AND a.status = 'open' AND a.plan_id IS NULL)"
    )


# When, under which condition, and what is noted.
TRIGGERS = (
    *((f"UPDATE OF version ON main.{table}", _asked("NEW"), "'asked', NEW.plan_id")
      for table in ("plans", "phases", "steps")),
    *((f"DELETE ON main.{table}", _asked("OLD"), "'asked', OLD.plan_id") for table in ("phases", "steps")),
    ("UPDATE OF status ON main.steps",
     f"OLD.status <> NEW.status AND NEW.status IN ('active', 'done', 'cancelled') AND {MAY_BE_HELD}",
     "'step', NEW.step_id"),
    (f"UPDATE OF {', '.join(SHAPE)} ON main.steps", f"{_own('OLD')} AND {_differs(SHAPE)}", "'step', NEW.step_id"),
    ("UPDATE OF phase_id ON main.steps", "OLD.phase_id <> NEW.phase_id", "'step', NEW.step_id"),
    ("UPDATE OF phase_id ON main.steps", f"OLD.phase_id <> NEW.phase_id AND {JOINS}", "'joined', NEW.phase_id"),
    ("INSERT ON main.steps", f"NEW.status IN ('active', 'done') AND {MAY_BE_HELD}", "'step', NEW.step_id"),
    ("INSERT ON main.steps", JOINS, "'joined', NEW.phase_id"),
    ("DELETE ON main.steps", "OLD.status <> 'done'", "'step', OLD.step_id"),
    ("DELETE ON main.steps_archive", f"OLD.status <> 'done' AND {_goes('step')}", "'step', OLD.step_id"),
    ("DELETE ON main.dependencies", WAITED, "OLD.source_type, OLD.source_id"),
    ("DELETE ON main.dependencies_archive", WAITED, "OLD.source_type, OLD.source_id"),
    (f"UPDATE OF {', '.join(EDGE)} ON main.dependencies", f"{WAITED} AND {_differs(EDGE)}",
     "OLD.source_type, OLD.source_id"),
    ("UPDATE OF order_index, approval_required ON main.phases", _differs(("order_index", "approval_required")),
     "'phases', OLD.plan_id"),
    ("DELETE ON main.phases", "1", "'phases', OLD.plan_id"),
    ("DELETE ON main.phases_archive", _goes("phase"), "'phases', OLD.plan_id"),
    ("UPDATE OF phase_gates ON main.plans", "OLD.phase_gates = 1 AND NEW.phase_gates = 0", "'phases', NEW.plan_id"),
    ("UPDATE OF status ON main.plans", "NEW.status = 'completed' AND OLD.status <> 'completed'",
     "'completed', NEW.plan_id"),
    ("INSERT ON main.trash", "1", "'trash', NEW.trash_id"),
    ("DELETE ON main.trash", f"instr(OLD.data, '\"{HELD}\"') > 0", "'back', OLD.trash_id"),
    ("UPDATE OF program_id ON main.plans", "OLD.program_id IS NOT NULL AND OLD.program_id IS NOT NEW.program_id",
     "'plan', NEW.plan_id"),
    ("UPDATE OF program_id ON main.plans_archive",
     "OLD.program_id IS NOT NULL AND OLD.program_id IS NOT NEW.program_id", "'plan', NEW.plan_id"),
)  # fmt: skip
# Whoever waits for a program waits for its plans: all of them are looked at when one leaves.
LEFT = f"""
    CREATE TEMP TRIGGER gate_left AFTER DELETE ON main.program_plans BEGIN
        INSERT OR IGNORE INTO gate_touched SELECT d.source_type, d.source_id FROM dependencies d
        WHERE d.target_type = 'program' AND d.target_id = OLD.program_id AND {BLOCKS};
    END
"""


def _arms(text: str) -> str:
    """Return a part of a union for the live tables and for the archive."""
    return " UNION ".join(text.format(suffix=suffix) for suffix in ("", "_archive"))


# What a node leads to: what it waits for, and what that consists of. A phase or plan that is waited for stands for its
# steps; one that is around a step (marked *) only for what it waits for itself, and its phase for those before it.
LINKS = (
    f"""d.target_type, d.target_id FROM up u
        JOIN dependencies{{suffix}} d ON d.source_type = rtrim(u.type, '*') AND d.source_id = u.id AND {BLOCKS}""",
    "'phase*', s.phase_id FROM up u JOIN steps{suffix} s ON u.type = 'step' AND s.step_id = u.id",
    "'behind', s.phase_id FROM up u JOIN steps{suffix} s ON u.type = 'step' AND s.step_id = u.id",
    "'plan*', p.plan_id FROM up u JOIN phases{suffix} p ON u.type IN ('phase', 'phase*') AND p.phase_id = u.id",
    """'program*', l.program_id FROM up u
        JOIN plans{suffix} l ON u.type IN ('plan', 'plan*') AND l.plan_id = u.id AND l.program_id IS NOT NULL""",
    """'step', s.step_id FROM up u
        JOIN steps{suffix} s ON u.type = 'phase' AND s.phase_id = u.id AND s.status NOT IN ('done', 'cancelled')""",
    """'step', s.step_id FROM up u
        JOIN steps{suffix} s ON u.type = 'plan' AND s.plan_id = u.id AND s.status NOT IN ('done', 'cancelled')""",
)
MEMBERS = "'plan', m.plan_id FROM up u JOIN program_plans m ON u.type = 'program' AND m.program_id = u.id"
ALL_LINKS = [*(link.format(suffix=suffix) for suffix in ("", "_archive") for link in LINKS), MEMBERS]


def _with_confirmations(condition: str) -> str:
    return condition.replace("FROM confirmations c", "FROM confirmations{suffix} c")


# The gates of steps and of phases.
OWN_GATES = (
    f"""'step', s.step_id, 'gate', s.step_id FROM up u JOIN steps{{suffix}} s ON u.type = 'step' AND s.step_id = u.id
        WHERE {IS_GATE} AND s.status <> 'cancelled'
          AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.step_id = s.step_id)""",
    f"""'behind', p.phase_id, 'gate', g.phase_id FROM up u
        JOIN phases{{suffix}} p ON u.type = 'behind' AND p.phase_id = u.id
        JOIN phases{{suffix}} g ON g.plan_id = p.plan_id AND g.order_index < p.order_index
        JOIN plans{{suffix}} l ON l.plan_id = g.plan_id
        WHERE {GATED_PHASE}""",
)
# Everything the starts wait for: what leads to what, and to which gate. A node is reached once, whatever leads to it.
HOLDING = f"""
    WITH RECURSIVE up (type, id) AS (
        SELECT value ->> 0, value ->> 1 FROM json_each(:starts)
        {"".join(f" UNION SELECT {link}" for link in ALL_LINKS)}
    )
    {" UNION ALL ".join(f"SELECT u.type, u.id, {link}" for link in ALL_LINKS)}
    {"".join(f" UNION {_arms(_with_confirmations(f'SELECT {gate}'))}" for gate in OWN_GATES)}
"""
STEPS = _arms("""
    SELECT step_id, plan_id, phase_id, status, type,
        requires_confirmation = 1 OR requires_user_confirmation = 1
            OR type IN ('confirmation', 'user_validation', 'critical') AS is_gate
    FROM steps{suffix} WHERE step_id IN (SELECT value FROM json_each(:ids))
""")
PHASES = _arms(
    _with_confirmations(f"""
    SELECT g.phase_id, g.order_index, {GATED_PHASE} AS is_gate,
        EXISTS (SELECT 1 FROM steps{{suffix}} s WHERE s.phase_id = g.phase_id AND s.status <> 'done') AS is_open
    FROM phases{{suffix}} g JOIN plans{{suffix}} l ON l.plan_id = g.plan_id WHERE g.plan_id = :plan_id
""")
)
PLANS = _arms("SELECT plan_id FROM plans{suffix} WHERE plan_id IN (SELECT value FROM json_each(:ids))")
OPEN_STEP = "s.status <> 'done'"  # a cancelled one may be opened again
CONTAINERS = _arms(f"""
    SELECT 'phase*', p.phase_id FROM phases{{suffix}} p
    WHERE p.phase_id IN (SELECT value FROM json_each(:ids))
      AND EXISTS (SELECT 1 FROM steps{{suffix}} s WHERE s.phase_id = p.phase_id AND {OPEN_STEP})
    UNION ALL
    SELECT 'plan*', l.plan_id FROM plans{{suffix}} l
    WHERE l.plan_id IN (SELECT value FROM json_each(:ids))
      AND EXISTS (SELECT 1 FROM steps{{suffix}} s WHERE s.plan_id = l.plan_id AND {OPEN_STEP})
    UNION ALL
    SELECT 'program*', l.program_id FROM plans{{suffix}} l
    WHERE l.program_id IN (SELECT value FROM json_each(:ids))
      AND EXISTS (SELECT 1 FROM steps{{suffix}} s WHERE s.plan_id = l.plan_id AND {OPEN_STEP})
""")
SETTLED = _arms("""
    SELECT step_id AS id FROM confirmations{suffix} WHERE step_id IN (SELECT value FROM json_each(:ids))
    UNION SELECT phase_id FROM confirmations{suffix} WHERE phase_id IN (SELECT value FROM json_each(:ids))
""")
STILL_GATES = _arms(
    _with_confirmations(f"""
    SELECT s.step_id AS id FROM steps{{suffix}} s WHERE s.step_id IN (SELECT value FROM json_each(:ids)) AND {WAITS}
    UNION ALL
    SELECT g.phase_id FROM phases{{suffix}} g JOIN plans{{suffix}} l ON l.plan_id = g.plan_id
    WHERE g.phase_id IN (SELECT value FROM json_each(:ids)) AND {GATED_PHASE}
""")
)
# What waits for a step: for it alone, its phase, its plan or its program.
WAITING = f"""
    SELECT DISTINCT d.source_type, d.source_id FROM dependencies d
    WHERE {BLOCKS} AND (d.target_type, d.target_id) IN (SELECT * FROM (
        SELECT 'step', value FROM json_each(:ids)
        UNION ALL SELECT 'phase', phase_id FROM steps WHERE step_id IN (SELECT value FROM json_each(:ids))
        UNION ALL SELECT 'plan', plan_id FROM steps WHERE step_id IN (SELECT value FROM json_each(:ids))
        UNION ALL SELECT 'program', m.program_id FROM steps s JOIN program_plans m ON m.plan_id = s.plan_id
            WHERE s.step_id IN (SELECT value FROM json_each(:ids))
    ))
"""
NAMES = _arms("""
    SELECT 'step' AS type, s.step_id AS id, s.plan_id, l.workspace_id, l.title AS plan, s.task AS name,
        s.order_index AS "index", s.version + l.version AS version
    FROM steps{suffix} s JOIN plans{suffix} l ON l.plan_id = s.plan_id
    WHERE s.step_id IN (SELECT value FROM json_each(:ids))
    UNION ALL
    SELECT 'phase', g.phase_id, g.plan_id, l.workspace_id, l.title, g.name, g.order_index, g.version + l.version
    FROM phases{suffix} g JOIN plans{suffix} l ON l.plan_id = g.plan_id
    WHERE g.phase_id IN (SELECT value FROM json_each(:ids))
""")


@dataclass(frozen=True)
class Opened:
    """A gate that holds something no longer: what became of that, and the step, if it is one."""

    gate: str
    how: How
    step_id: str | None = None


@dataclass
class Verdict:
    """What a transaction did to gates: those it opened, and phases whose confirmation ended with a new step."""

    opened: list[Opened] = field(default_factory=list[Opened])
    joined: list[str] = field(default_factory=list[str])


async def watch(db: Database) -> None:
    """Note from now on what this database's transactions do to what may be held."""
    triggers = (
        f"CREATE TEMP TRIGGER gate_{number} AFTER {when} WHEN {condition} BEGIN "
        f"INSERT OR IGNORE INTO gate_touched VALUES ({noted}); END"
        for number, (when, condition, noted) in enumerate(TRIGGERS)
    )
    await db.equip(TOUCHED, *triggers, LEFT)


async def forget(tx: Transaction) -> None:
    """Forget what was noted: of transactions that nobody asked about."""
    await tx.run("DELETE FROM gate_touched")


async def touched(tx: Transaction) -> list[Node]:
    """Return what the transaction did that may concern a gate."""
    return [(row["kind"], row["id"]) for row in await tx.all("SELECT kind, id FROM gate_touched")]


async def judge(before: Reader, tx: Transaction, noted: Sequence[Node]) -> Verdict:
    """Compare what is held after the transaction with what was held before it; `before` must not see the former."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, found in noted:
        kinds[kind].append(found)
    around = [(f"{kind}*", node) for kind in ("phase", "plan", "program") for node in kinds[kind]]
    completed = [("plan", plan_id) for plan_id in kinds["completed"]]
    starts = [*(("step", step_id) for step_id in kinds["step"]), *around, *completed]
    was = await holding(before, starts)
    opened = await _compare(before, tx, starts, was)
    gone = await _gates_gone(before, tx, was)
    for plan_id in kinds["phases"]:
        let_go, no_gates = await _compare_phases(before, tx, plan_id)
        opened, gone = [*opened, *let_go], [*gone, *no_gates]
    opened += await _compare_trash(before, tx, kinds["back"], gone)
    if kinds["trash"]:
        left = {step_id: was["step", step_id] - dict(gone).keys() - {step_id} for step_id in kinds["step"]}
        await trashed_gates.remember(tx, kinds["trash"], left)
    return Verdict(list(dict.fromkeys(opened)), kinds["joined"])


async def _gates_gone(before: Reader, tx: Transaction, was: Mapping[Node, set[str]]) -> list[Gone]:
    """Return the unconfirmed gates that are steps and were deleted."""
    own = [node_id for (kind, node_id), gates in was.items() if kind == "step" and node_id in gates]
    there = await _steps(tx, own) if own else {}
    found = {step_id: row["plan_id"] for step_id, row in (await _steps(before, own)).items()} if own else {}
    plans = await _left(tx, set(found.values())) if found else set[str]()
    return [(gate, None if plan in plans else plan) for gate, plan in found.items() if gate not in there]


async def _compare_trash(before: Reader, tx: Transaction, back: Sequence[str], gone: Sequence[Gone]) -> list[Opened]:
    """Return the gates that hold something in the trash and are gone, or held what comes back and hold it no more."""
    opened = [Opened(gate, "passed") for gate in await trashed_gates.holding(tx, dict(gone))] if gone else []
    if not back:
        return opened
    was = await trashed_gates.held(before, back)
    still = {row["id"] for row in await tx.all(STILL_GATES, {"ids": encode(sorted(set[str]().union(*was.values())))})}
    there = await _steps(tx, [step_id for _, step_id in was])
    now = await holding(tx, list(was))
    return opened + [
        Opened(gate, "passed", step_id)
        for (kind, step_id), gates in was.items()
        for gate in sorted((gates & still) - now[kind, step_id])
        if step_id in there
    ]


async def _compare(
    before: Reader, tx: Transaction, starts: Sequence[Node], was: Mapping[Node, set[str]]
) -> list[Opened]:
    now = await holding(tx, starts)
    gates = {gate for held in (*was.values(), *now.values()) for gate in held}
    if not gates:
        return []
    settled = await confirmed(tx, gates)
    known = {gate.id for gate in await named(before, gates)}
    step_ids = [node_id for kind, node_id in starts if kind == "step"]
    was_steps, now_steps = await _steps(before, step_ids), await _steps(tx, step_ids)
    steps = _Steps(was_steps, now_steps, await _left(tx, {row["plan_id"] for row in was_steps.values()}))
    at_work = await _open_containers(tx, starts)
    opened: list[Opened] = []
    gone: list[str] = []
    for node in starts:
        old, new = was[node] - settled, now[node] - settled
        match node:
            case "step", step_id:
                opened += steps.changes(step_id, old, new, known)
                gone += [step_id] if old - {step_id} and steps.is_gone(step_id) else []
            case "plan", _:
                opened += [Opened(gate, "completed") for gate in sorted(old)]
            case _:
                opened += [Opened(gate, "passed") for gate in sorted(old - new) if node in at_work]
    if waiting := await _waiting_for(before, gone, set(starts)) if gone else []:
        opened += await _compare(before, tx, waiting, await holding(before, waiting))
    return opened


@dataclass(frozen=True)
class _Steps:
    """Steps as they were and as they are, and the plans that are left."""

    was: Mapping[str, Any]
    now: Mapping[str, Any]
    plans: set[str]

    def is_gone(self, step_id: str) -> bool:
        """Whether it holds up nobody any more, without being done."""
        return step_id not in self.now or self.now[step_id]["status"] == "cancelled"

    def changes(self, step_id: str, old: set[str], new: set[str], known: set[str]) -> list[Opened]:
        """Return the gates that no longer hold this step; `known` are those that were there before."""
        before, after = self.was.get(step_id), self.now.get(step_id)
        entered = after["status"] if after and (before is None or before["status"] != after["status"]) else None
        held = sorted(old | (new & known if entered in ("active", "done") else set[str]()))
        found: list[tuple[str, How | None]] = [
            (gate, self._outcome(step_id, gate, gate in old, gate in new, entered)) for gate in held
        ]
        return [Opened(gate, how, step_id) for gate, how in found if how]

    def _outcome(self, step_id: str, gate: str, was_held: bool, is_held: bool, entered: str | None) -> How | None:
        """Return what became of a step that `gate` held, if it holds it no more."""
        before, after = self.was.get(step_id), self.now.get(step_id)
        is_own = gate == step_id
        if entered == "done":
            return "done"
        if entered == "active" and after and (not is_own or after["type"] == "critical"):
            return "begun"
        if before is None or not was_held or before["status"] == "done":
            return None
        if is_own:
            weaker = after is not None and _strength(after) < _strength(before)
            return "dropped" if (weaker or not is_held) and before["plan_id"] in self.plans else None
        return None if is_held or after is None else "passed"


def _strength(step: Any) -> int:
    """A critical step may not begin, any other gate may only not be done."""
    return 2 if step["type"] == "critical" else int(bool(step["is_gate"]))


async def _compare_phases(before: Reader, tx: Transaction, plan_id: str) -> tuple[list[Opened], list[Gone]]:
    """Return the phases that held a later one with open steps and hold it no more, and those that are no gates now."""
    was, now = await phases(before, plan_id), await phases(tx, plan_id)
    settled = await confirmed(tx, was)
    gates = [gate_id for gate_id, gate in was.items() if gate["is_gate"] and gate_id not in settled]
    opened: list[Opened] = []
    for gate_id in gates:
        after = [
            phase_id
            for phase_id, phase in was.items()
            if phase["order_index"] > was[gate_id]["order_index"] and phase["is_open"] and phase_id in now
        ]
        opened += [Opened(gate_id, "passed")] if any(not _holds(now, gate_id, phase) for phase in after) else []
    plan = None if now else plan_id
    return opened, [(gate, plan) for gate in gates if gate not in now or not now[gate]["is_gate"]]


def _holds(now: Mapping[str, Any], gate_id: str, phase_id: str) -> bool:
    gate, phase = now.get(gate_id), now[phase_id]
    holds = gate is not None and gate["is_gate"] and gate["order_index"] < phase["order_index"]
    return holds or not phase["is_open"]


async def holding(db: Reader, starts: Sequence[Node]) -> dict[Node, set[str]]:
    """Return the gates that hold each of the starts."""
    if not starts:
        return {}
    rows = await db.all(HOLDING, {"starts": encode([list(node) for node in starts])})
    edges: dict[Node, list[Node]] = defaultdict(list)
    own: dict[Node, set[str]] = defaultdict(set)
    for from_type, from_id, type_, id_ in rows:
        if type_ == "gate":
            own[from_type, from_id].add(id_)
        else:
            edges[from_type, from_id].append((type_, id_))
    found: dict[Node, set[str]] = {}
    for start in starts:
        _gather(start, edges, own, found)
    return found


def _gather(
    start: Node, edges: Mapping[Node, list[Node]], own: Mapping[Node, set[str]], found: dict[Node, set[str]]
) -> None:
    """Put into `found` the gates of `start` and of all it leads to: without recursion, since chains may be long."""
    if not own:
        found[start] = set()
        return
    todo: list[tuple[Node, bool]] = [(start, False)]
    while todo:
        node, is_ready = todo.pop()
        if is_ready:
            found[node] = own.get(node, set[str]()).union(
                *(found.get(other, set[str]()) for other in edges.get(node, ()))
            )
        elif node not in found:
            found[node] = set()
            todo.append((node, True))
            todo.extend((other, False) for other in edges.get(node, ()) if other not in found)


async def phases(db: Reader, plan_id: str) -> dict[str, Record]:
    """Return the phases of a plan: whether each is a gate that nobody confirmed, and whether it has open steps."""
    return {row["phase_id"]: row for row in await db.all(PHASES, {"plan_id": plan_id})}


async def confirmed(db: Reader, gates: Iterable[str]) -> set[str]:
    """Return which of these steps and phases a human confirmed."""
    rows = await db.all(SETTLED, {"ids": encode(list(gates))})
    return {row["id"] for row in rows}


async def _left(tx: Reader, plan_ids: Iterable[str]) -> set[str]:
    """Return which of the plans are there, live or archived."""
    return {row["plan_id"] for row in await tx.all(PLANS, {"ids": encode(sorted(plan_ids))})}


async def _open_containers(tx: Reader, starts: Sequence[Node]) -> set[Node]:
    """Return which of the phases, plans and programs among the starts have open steps."""
    ids = encode([node_id for kind, node_id in starts if kind.endswith("*")])
    return {(row[0], row[1]) for row in await tx.all(CONTAINERS, {"ids": ids})} if ids != "[]" else set()


async def _steps(db: Reader, step_ids: Sequence[str]) -> dict[str, Any]:
    return {row["step_id"]: row for row in await db.all(STEPS, {"ids": encode(list(step_ids))})}


async def _waiting_for(db: Reader, step_ids: Sequence[str], known: set[Node]) -> list[Node]:
    """Return what waited for steps that are gone, and was not looked at yet."""
    rows = await db.all(WAITING, {"ids": encode(list(step_ids))})
    nodes = [(f"{row[0]}{'' if row[0] == 'step' else '*'}", row[1]) for row in rows]
    return [node for node in nodes if node not in known]


async def named(db: Reader, gates: Iterable[str]) -> list[Gate]:
    """Return gates with all that a person or an agent has to know of them."""
    rows = await db.all(NAMES, {"ids": encode(sorted(gates))})
    return [Gate(**as_dict(row)) for row in rows]
