"""Pages for people who follow an address: what one thing of the store is, as Markdown with the addresses around it."""

from collections.abc import Iterable
from urllib.parse import quote

from server.db.audit import events
from server.db.context import knowledge, research
from server.db.interchange import exports
from server.db.library import definitions
from server.db.plans import plans
from server.db.programs import overview, programs
from server.db.steps import steps
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.exporters import markdown
from server.exporters import markdown_lines as md
from server.models.base import Row
from server.models.library import LibraryKind

Lines = md.Lines

MOST = 100  # of each kind on the page of a workspace
LAST_EVENTS = 20


def address(*parts: str | int) -> str:
    """Return the address of something."""
    return "memory://" + "/".join(quote(str(part), safe="") for part in parts)


def link(name: str, *parts: str | int) -> str:
    return f"[{md.cell(name)}]({address(*parts)})"


async def all_workspaces(db: Reader) -> str:
    found, total = await workspaces.page(db, under=None, roots=False, after=None, limit=MOST)
    rows = (
        (
            link(one.name, "workspaces", one.workspace_id),
            md.code(one.path) if one.path else "",
            sum((one.plan_counts or {}).values()),
        )
        for one in found
    )
    lines = (*_table(("workspace", "folder", "plans"), rows), *_more(len(found), total))
    return _page("# Workspaces", *(lines or ("", "None is registered yet.")))


async def workspace(db: Reader, workspace_id: str) -> str:
    """Return where the plans of a workspace stand, what it knows, who holds what, and what happened last."""
    found = await workspaces.require(db, workspace_id)
    home = found.workspace_id
    counts = ", ".join(f"{n} {status}" for status, n in (await workspaces.plan_counts(db, home)).items() if n)
    facts = {**found.model_dump(), "plans": counts or "none"}
    names = ("workspace_id", "path", "parent_workspace_id", "plans", "created_at", "updated_at")
    held = await workspaces.held_steps(db, home, limit=MOST)
    claims = (
        f"{link(one.task, 'plans', one.plan_id, 'steps', one.index)}, {md.line(one.agent or one.claimed_by)} until "
        f"{one.lease_expires_at}"
        for one in held
    )
    last = await events.latest(db, home, limit=LAST_EVENTS)
    told = (f"{one.timestamp} {one.type} {md.code(one.entity_id)}{_by(one.agent)}" for one in last)
    return _page(
        f"# {md.line(found.label)}",
        "",
        *md.facts(facts, names),
        *md.titled("Plans", await _plans(db, home)),
        *md.titled("Programs", await _programs(db, home)),
        *md.titled("Held now", md.bullets(claims)),
        *md.titled("Knowledge", await _knowledge(db, home)),
        *md.titled("Last events", md.bullets(told)),
    )


async def _plans(db: Reader, workspace_id: str) -> Lines:
    wanted = plans.Filter(workspace_id)
    found, total = await plans.page(db, wanted, order="updated", after=None, limit=MOST)
    rows = (
        (link(one.title, "plans", one.plan_id), one.status, one.priority, f"{one.steps_done} of {one.steps_total}")
        for one, _ in found
    )
    table = _table(("plan", "status", "priority", "steps done"), rows)
    return iter((*table, *_more(len(found), total)))


async def _programs(db: Reader, workspace_id: str) -> Lines:
    found, total = await programs.page(
        db, workspace_id=workspace_id, query=None, include_archived=False, after=None, limit=MOST
    )
    rows = (
        (link(one.title, "programs", one.program_id), one.status, f"{one.plans_done} of {one.plans_total}")
        for one in found
    )
    table = _table(("program", "status", "plans done"), rows)
    return iter((*table, *_more(len(found), total)))


async def _knowledge(db: Reader, workspace_id: str) -> Lines:
    found, _ = await knowledge.list_(db, workspace_id=workspace_id, limit=MOST)
    return md.bullets(f"{link(one.title, 'knowledge', workspace_id, one.slug)} ({one.category})" for one in found)


async def plan(db: Reader, plan_id: str) -> str:
    found = await plans.require(db, plan_id)
    return (await markdown.plan_page(db, found.plan_id)).content.decode()


async def step(db: Reader, plan_id: str, step_index: str) -> str:
    found = await plans.require(db, plan_id)
    suffix = "_archive" if found.archived_at else ""
    at = int(step_index) if step_index.isdecimal() and len(step_index) < 10 else -1
    wanted = await steps.require_at(db, found.plan_id, at, suffix=suffix)
    rows = markdown.unexpired(await exports.step(db, found.plan_id, wanted.step_id, suffix), db.now())
    return _page(*markdown.step(rows, at))


async def program(db: Reader, program_id: str) -> str:
    """Return a program with how far each of its plans is."""
    found = await programs.require(db, program_id)
    whole = await overview.read(db, found.program_id)
    rows = (
        (link(one.title, "plans", one.plan_id), one.status, f"{one.steps_done} of {one.steps_total}")
        for one in (whole.plans if whole else ())
    )
    own = markdown.unexpired(await exports.program(db, found.program_id), db.now())
    _, heading, *rest = markdown.program(own)
    standing = md.titled("How far each plan is", _table(("plan", "status", "steps done"), rows))
    return _page(heading.replace("## Program:", "#", 1), *rest, *standing)


async def document(db: Reader, document_id: str) -> str:
    """Return a research document as it was written, below what is known of it."""
    found = await research.require(db, document_id)
    names = ("document_id", "workspace_id", "parent_type", "parent_id", "created_by", "updated_at")
    return _written(found.filename, found, names, found.content)


async def entry(db: Reader, workspace_id: str, slug: str) -> str:
    """Return what a workspace keeps under a slug."""
    home = await workspaces.require(db, workspace_id)
    found = await knowledge.require(db, home.workspace_id, slug)
    names = ("slug", "category", "supersedes", "superseded_by", "created_by_agent", "updated_at")
    return _written(found.title, found, names, found.content)


async def definition(db: Reader, kind: LibraryKind, name: str) -> str:
    """Return an agent, instruction or skill, be it for every workspace or of one."""
    found = await definitions.require(db, kind, name, await definitions.owner(db, kind, name))
    names = ("kind", "description", "origin", "workspace_id", "category", "updated_at")
    return _written(found.name, found, names, found.body)


def _written(title: str, found: Row, names: Iterable[str], text: str) -> str:
    return _page(f"# {md.line(title)}", "", *md.facts(found.model_dump(), names), "", "---", "", text)


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Lines:
    for place, row in enumerate(rows):
        if not place:
            heads = list(heads)
            yield from ("", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}")
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def _more(shown: int, total: int) -> Lines:
    if total > shown:
        yield from ("", f"These are {shown} of {total}.")


def _by(who: str | None) -> str:
    return f" by {md.line(who)}" if who else ""


def _page(*lines: str) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
