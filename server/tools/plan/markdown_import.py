"""memory_plan: plans out of Markdown files."""

import os
import stat
from pathlib import Path
from typing import Any

import anyio

from server.db.plans import plans
from server.errors import InvalidArguments, NotAllowed, NotFound, TooLarge
from server.models.plans import Category, Priority
from server.models.steps import NewStep, brief
from server.models.text import LINE_LENGTH, TASK_LENGTH, VALUE_BYTES, Line, Text
from server.text import markdown
from server.text.markdown import ParsedPlan, ParsedStep
from server.tools.common import Call
from server.tools.paths import expanded, normal_path
from server.tools.plan import drafts
from server.tools.plan.drafts import PlanDraft
from server.tools.plan.tool import TOOL
from server.tools.render import Result

OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
UNTITLED = "Imported plan"
ALMOST_SHOWN = 60
MOST_TOLD = 20


@TOOL.action(takes=("request",), one_of=(("plan_file_path",), ("content",)))
async def import_(
    call: Call,
    *,
    plan_file_path: Line | None = None,
    content: Text | None = None,
    title: Line | None = None,
    category: Category = "feature",
    priority: Priority = "medium",
) -> Result:
    """Make a plan of a Markdown checklist.

    The file has to be in the workspace (absolute, or relative to it) and stays as it is; pass the text of any other as
    content. Steps are list items with a checkbox: - [ ] open, * [x] done, [-] or [~] cancelled, 1. [ ] numbered, at any
    depth; any other mark ([/], [>]) is pending and kept in the notes. A nested one gets the text of its parent first.
    Phases are ## headings (else #); deeper headings are the section of a step; the same heading twice is one phase.
    Indented text below a step becomes its notes. Code fences, block quotes and comments hold no steps. title is the
    first # heading unless given. At most 1 MiB and 2000 steps.

    Example: {"action":"import","plan_file_path":"docs/plan.md","priority":"high"}
    """
    if plan_file_path and content is not None:
        raise InvalidArguments("Give plan_file_path or content, not both.")
    workspace = await call.workspace(call.db)
    source = None
    if plan_file_path:
        source, content = await anyio.to_thread.run_sync(_read, workspace.folder, plan_file_path)
    parsed = markdown.parse(content or "")
    _refuse_empty(parsed)
    named = title or _line(parsed.title or (Path(source).stem if source else "")) or UNTITLED
    columns = {"category": category, "priority": priority, "source": source}
    draft = PlanDraft(
        named,
        columns,
        steps=[_step(step) for step in parsed.steps],
        warnings=[*_strange_marks(parsed), *_almost_steps(parsed)],
    )
    async with call.write(is_quick=False) as tx:
        workspace_id = await call.workspace_id(tx)
        if source and (other := await plans.from_source(tx, workspace_id, source)):
            draft.warnings.append(f"{other} was imported from the same file; this is another plan.")
        plan, rows = await drafts.make(tx, workspace_id, draft)
        first = next((brief(row) for row in rows if not row.closed), None)
        return await drafts.made(tx, draft, plan, rows, source=source, first_open_step=first)


def _refuse_empty(parsed: ParsedPlan) -> None:
    if not parsed.steps:
        raise InvalidArguments(
            "The text has no step. Steps are list items with a checkbox, outside of code fences and block quotes: "
            "'- [ ] open', '* [x] done', '+ [ ] plus', '1. [ ] numbered', '1) [ ] numbered', indented or not. Phases "
            "are '## headings'."
        )


def _strange_marks(parsed: ParsedPlan) -> list[str]:
    """Return a warning for each mark that no checkbox is known to have, with the steps that have it."""
    marked: dict[str, list[str]] = {}
    for index, step in enumerate(parsed.steps):
        if step.is_marked_strangely:
            marked.setdefault(step.mark, []).append(str(index))
    return [
        f"[{mark}] is no known mark, so these steps are pending, with the mark in their notes: "
        f"{', '.join(indices[:MOST_TOLD])}{f' and {len(indices) - MOST_TOLD} more' if len(indices) > MOST_TOLD else ''}"
        for mark, indices in list(marked.items())[:MOST_TOLD]
    ]


def _almost_steps(parsed: ParsedPlan) -> list[str]:
    """Return a warning for list items that look like steps and are none."""
    shown = [repr(text[:ALMOST_SHOWN]) for text in parsed.almost[:MOST_TOLD]]
    more = f" and {len(parsed.almost) - MOST_TOLD} more" if len(parsed.almost) > MOST_TOLD else ""
    return [f"No steps, for a checkbox is '[ ] ' with its blanks: {', '.join(shown)}{more}"] if shown else []


def _step(parsed: ParsedStep) -> NewStep:
    """Return a parsed step as one to insert; a task that is too long goes on in the notes."""
    task, notes = parsed.task, parsed.notes
    if parsed.mark not in markdown.STATUSES:
        notes = "\n".join(filter(None, [f"marked [{parsed.mark}] where it was imported from", notes]))
    if len(task) > TASK_LENGTH:
        task, notes = task[: TASK_LENGTH - 1] + "…", "\n\n".join(filter(None, [task, notes]))
    given: dict[str, Any] = {
        "task": task,
        "phase": _line(parsed.phase or "") or None,
        "section": _line(parsed.section or "") or None,
        "notes": notes,
        "status": parsed.status,
    }
    return NewStep.model_validate(given)


def _line(text: str) -> str:
    return text if len(text) <= LINE_LENGTH else text[: LINE_LENGTH - 1] + "…"


def _read(folder: str, path: str) -> tuple[str, str]:
    """Return the path within the workspace and the text of a file, symbolic links resolved once."""
    try:
        real = normal_path(Path(folder) / expanded(path))
        if not Path(real).is_relative_to(folder):
            raise NotAllowed(
                f"plan_file_path {path!r} is outside of the workspace {folder!r}. Read it yourself and pass it as "
                "content."
            )
        raw = _bytes(real, path)
    except OSError as error:
        raise NotFound(f"plan_file_path {path!r} cannot be read: {error.strerror}.") from error
    except UnicodeEncodeError as error:
        raise InvalidArguments("plan_file_path holds a lone surrogate, which is in no path.") from error
    return Path(real).relative_to(folder).as_posix(), _decoded(raw, path)


def _decoded(raw: bytes, path: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidArguments(f"plan_file_path {path!r} is not UTF-8 text (byte {error.start}).") from error
    if "\0" in text:
        raise InvalidArguments(f"plan_file_path {path!r} holds NUL characters, so it is not text.")
    return text


def _bytes(real: str, path: str) -> bytes:
    """Read a regular file by a path without links, and make sure that it is the one that was opened."""
    handle = os.open(real, OPEN_FLAGS)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidArguments(f"plan_file_path {path!r} is not a file.")
        if normal_path(Path(real)) != real or not os.path.samestat(found, Path(real).lstat()):
            raise NotAllowed(f"plan_file_path {path!r} changed while it was opened.")
        if found.st_size > VALUE_BYTES:
            raise TooLarge(f"plan_file_path {path!r} has {found.st_size} bytes; at most {VALUE_BYTES} can be imported.")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(VALUE_BYTES)
    finally:
        os.close(handle)
