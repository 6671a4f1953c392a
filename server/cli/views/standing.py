"""What is shown of workspaces: what needs somebody as one list, and of each its plans and who holds what."""

from collections.abc import Iterable, Iterator, Sequence

from server.cli.screen import QUIET, TROUBLE, Cell, Column, Screen, Styled
from server.db.workspaces.standing import Attention, Standing
from server.models.plans import PlanBrief
from server.models.workspaces import Workspace
from server.settings import Settings
from server.text.display import number_of
from server.tools.commands import command

NEEDS = (
    Column("WHAT"), Column("ID"), Column("WHEN"), Column("ABOUT", is_wide=True), Column("WHO"),
    Column("WORKSPACE", is_wide=True),
)  # fmt: skip
PLANS = (
    Column("PLAN", is_wide=True), Column("ID"), Column("STATUS"), Column(""), Column("DONE", is_number=True),
    Column("NOW IN", is_wide=True),
)  # fmt: skip
STEPS = (
    Column("STEP"), Column("ID"), Column("TASK", is_wide=True), Column("PLAN", is_above=True), Column("WHO"),
    Column("UNTIL"),
)  # fmt: skip
MOST = 10  # of each kind, unless a limit is given
Place = tuple[Workspace, Attention]
Row = tuple[Cell, ...]


def draw_needs(screen: Screen, chosen: Settings, places: Sequence[Place], limit: int | None) -> None:
    """Print what needs somebody, and the commands that answer it."""
    total = sum(needs.total for _, needs in places)
    if not total:
        screen.heading("Nothing needs you.")
        return
    screen.heading(f"Needs you ({total})")
    named = len(places) > 1
    rows = [(*row, home.label if named else "") for home, needs in places for row in need_rows(screen, needs)]
    screen.table(NEEDS, rows, indent=2)
    for kind, words in LISTED.items():
        rest = sum(needs.totals[kind] - _shown(needs, kind) for _, needs in places)
        more = command(chosen, *words) if words else command(chosen, "status", "--limit", str((limit or MOST) * 10))
        screen.more(rest, kind.replace("_", " "), more)
    if any(needs.approvals or needs.reached for _, needs in places):
        screen.unbroken(Styled("answer: ", QUIET), command(chosen, "confirm", "ID"), indent=2)
        screen.unbroken(Styled("    or: ", QUIET), command(chosen, "reject", "ID"), indent=2)
    if any(needs.messages for _, needs in places):
        screen.unbroken(Styled("read:   ", QUIET), command(chosen, "messages"), indent=2)


# What lists all of a kind; without one, status does with a larger limit.
LISTED: dict[str, tuple[str, ...]] = {
    "approvals": ("approvals",),
    "messages": ("messages",),
    "stuck_steps": (),
    "lost_leases": (),
    "silent_sessions": (),
}


def _shown(needs: Attention, kind: str) -> int:
    gates = len(needs.reached) if kind == "approvals" else 0
    return len(getattr(needs, kind)) + gates


def need_rows(screen: Screen, needs: Attention) -> Iterator[Row]:
    """Yield what needs somebody, the most pressing first."""
    for row in needs.approvals:
        yield Styled("approval"), row.approval_id, screen.when(row.created_at), row.what, row.asked_by or ""
    for gate in needs.reached:
        yield Styled("gate"), gate.id, screen.when(gate.since), f"{gate.type} {gate.name!r} of {gate.plan!r}", ""
    for one in needs.messages:
        yield Styled("message"), one.message_id, screen.when(one.created_at), one.content, one.from_agent or ""
    for step in needs.stuck_steps:
        said = _last_line(step.note)
        about = f"#{step.index} {step.task} ({step.plan}){f': {said}' if said else ''}"
        style = TROUBLE if step.status == "failed" else "yellow"
        yield Styled(f"{step.status} step", style), step.step_id, screen.when(step.since), about, step.assignee or ""
    for lost in needs.lost_leases:
        about = f"#{lost.index} {lost.task} ({lost.plan})"
        who = lost.agent or lost.claimed_by
        yield Styled("lost lease"), lost.step_id, screen.when(lost.lease_expires_at), about, who
    for session in needs.silent_sessions:
        about = session.plan or ""
        yield Styled("silent session"), session.session_id, screen.when(session.last_seen_at), about, session.agent


def _last_line(text: str | None) -> str:
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def draw_elsewhere(screen: Screen, chosen: Settings, number: int) -> None:
    """Print that other workspaces need somebody, too."""
    things = number_of(number, "thing")
    screen.unbroken(Styled(f"{things} in other workspaces: "), command(chosen, "status", "--all"), indent=2)


def draw_workspace(screen: Screen, chosen: Settings, stands: Standing) -> None:
    """Print the plans of a workspace, who holds what until when, and what is free."""
    home = stands.workspace
    screen.heading(home.label, Styled(f"  {home.path or 'no folder'}  {home.workspace_id}", QUIET))
    if not stands.plans:
        screen.line("No plan is under way.", indent=2)
        return
    screen.table(PLANS, (plan_row(screen, plan) for plan in stands.plans), indent=2)
    larger = command(chosen, "status", "--limit", str(max(stands.plans_total, 1)), "--workspace", home.workspace_id)
    screen.more(stands.plans_total - len(stands.plans), "plans", larger)
    screen.line()
    screen.table(STEPS, step_rows(screen, stands), indent=2)
    free = f"{stands.free_total - 1:,}+" if stands.free_total > 1000 else f"{stands.free_total:,}"
    screen.line(
        f"{len(stands.held)} held, {free} free" if stands.free_total or stands.held else "No step is free.", indent=2
    )


def plan_row(screen: Screen, plan: PlanBrief) -> Row:
    """Return a plan as a row of a list of plans."""
    status = "" if plan.status == "active" and not screen.is_plain else Styled(plan.status)
    bar = screen.bar(plan.steps_done, plan.steps_total)
    done = f"{plan.steps_done}/{plan.steps_total}"
    return plan.title, plan.plan_id, status, bar, done, plan.current_phase or ""


def step_rows(screen: Screen, stands: Standing) -> Iterable[Row]:
    """Yield the steps that somebody holds, then those that are free."""
    for held in stands.held:
        plan = stands.titles.get(held.plan_id, held.plan_id)
        task, who = f"#{held.index} {held.task}", held.agent or held.claimed_by
        yield "held", held.step_id, task, plan, who, screen.when(held.lease_expires_at)
    for free in stands.free:
        yield (
            "free",
            free.step_id,
            f"#{free.order_index} {free.task}",
            stands.titles.get(free.plan_id, free.plan_id),
            "",
            "",
        )
