"""memory_context: texts made of what is stored, to hand out: instructions, prompts, a plan with its context."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from server.db.context import context_items
from server.db.plans import phases, plan_overview, plans
from server.db.sessions import sessions
from server.db.steps import steps
from server.db.storage.connection import Reader
from server.errors import NotFound
from server.exporters import documents
from server.models.context import WORKSPACE_SECTIONS, Parent, PromptSection
from server.models.events import Event
from server.models.plans import Plan
from server.models.text import AgentName, Id, Index, Line, Lines, SomeText, Text, moment
from server.text.front_matter import simple
from server.tools import output_files
from server.tools.common import Call
from server.tools.context.items import Texts
from server.tools.context.tool import TOOL
from server.tools.output_files import JSON, MARKDOWN, OutputPath

PromptSections = Annotated[list[PromptSection], Field(max_length=100, description="[{title, content}]")]
Indices = Annotated[list[Index], Field(max_length=200)]
Mode = Literal["agent", "ask", "edit"]
FIRST_VERSION = "1.0.0"
VERSION = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}"
ENDS = ("plan_completion", "phase_completion")


def _end(text: str) -> str:
    try:
        return text if text in ENDS else moment(text)
    except ValueError as error:
        raise ValueError(f"must be {', '.join(ENDS)} or a time such as 2030-01-31") from error


PromptEnd = Annotated[Line, AfterValidator(_end)]
PromptVersion = Annotated[str, Field(pattern=f"^{VERSION}$")]


@TOOL.action(writes_with="output_path", takes=("budget", "force"), then=output_files.carry_out)
async def generate_instructions(
    call: Call,
    *,
    target_agent: AgentName,
    mission: SomeText,
    plan_id: Id | None = None,
    context: Texts | None = None,
    constraints: Texts | None = None,
    deliverables: Texts | None = None,
    files_to_read: Texts | None = None,
    output_path: OutputPath | None = None,
) -> dict[str, Any]:
    """Write instructions for an agent, as Markdown.

    Mission, context, constraints, deliverables and files to read, each a section. Without output_path the text is
    `content`, in pieces if need be (`next_offset`); with it the text is written to that file of the project, which ends
    in .md. A file that is there is replaced only with force=true.

    Example: {"action":"generate_instructions","target_agent":"Executor","mission":"Go","output_path":"docs/go.md"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    lists = {
        "Context": context,
        "Constraints": constraints,
        "Deliverables": deliverables,
        "Files to read": files_to_read,
    }
    lines = [f"# Instructions for {target_agent}", "", "## Mission", "", mission.strip()]
    for title, items in lists.items():
        lines += ["", f"## {title}", "", *(f"- {_indented(item)}" for item in items)] if items else []
    lines += ["", f"Plan: {plan.title} ({plan.plan_id})"] if plan else []
    text = "\n".join(lines) + "\n"
    return await _give(call, plan, text, output_path, ends=MARKDOWN, summary=f"Instructions for {target_agent} written")


def _indented(text: str) -> str:
    """Return a text as one item of a list, however many lines it has."""
    return "\n  ".join(text.strip().splitlines())


@TOOL.action(writes_with="output_path", takes=("budget", "force"), then=output_files.carry_out)
async def write_prompt(
    call: Call,
    *,
    prompt_title: Line,
    prompt_agent: AgentName,
    prompt_description: Line,
    plan_id: Id | None = None,
    prompt_sections: PromptSections | None = None,
    prompt_variables: Lines | None = None,
    prompt_raw_body: Text | None = None,
    prompt_mode: Mode = "agent",
    prompt_phase: Line | None = None,
    prompt_step_indices: Indices | None = None,
    prompt_expires_after: PromptEnd = "plan_completion",
    prompt_version: PromptVersion | None = None,
    tags: Lines | None = None,
    output_path: OutputPath | None = None,
) -> dict[str, Any]:
    """Write a prompt file, with front matter.

    The body is prompt_raw_body, else the sections. prompt_variables are the names that it has in {{braces}}.
    prompt_expires_after is plan_completion, phase_completion or a time. Without output_path the text is `content`; with
    it the text is written to that file of the project, which ends in .md. With force=true a file that is there is
    replaced; if anything changed, the `version` goes on from the one in it (1.0.0, 1.0.1), unless prompt_version is
    another one.

    Example: {"action":"write_prompt","prompt_title":"Look","prompt_agent":"Reviewer","prompt_description":"At it",
    "output_path":"docs/look.prompt.md"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    if plan:
        await _check_place(call.db, plan, prompt_phase, prompt_step_indices or ())
    head: dict[str, Any] = {
        "agent": prompt_agent,
        "description": prompt_description,
        "mode": prompt_mode,
        "version": None,
        "created_by": await _author(call),
        "plan_id": plan_id,
        "phase": prompt_phase,
        "step_indices": prompt_step_indices,
        "expires_after": prompt_expires_after,
        "tags": tags,
        "plan_updated_at": plan.updated_at if plan else None,
    }
    body = [prompt_raw_body.strip()] if prompt_raw_body else list(_body(prompt_sections or ()))
    lines = [f"# {prompt_title}", "", prompt_description, "", *body]
    lines += ["", "## Variables", "", *(f"- {{{{{name}}}}}" for name in prompt_variables)] if prompt_variables else []

    def text(version: str) -> str:
        return "\n".join([*_front_matter({**head, "version": version}), "", *lines]).rstrip() + "\n"

    version = await _version(call, plan, output_path, prompt_version, text)
    summary = f"Prompt {prompt_title!r} written"
    return {**await _give(call, plan, text(version), output_path, ends=MARKDOWN, summary=summary), "version": version}


async def _check_place(db: Reader, plan: Plan, phase: str | None, indices: Sequence[int]) -> None:
    """Refuse a phase or steps that a plan does not have."""
    suffix = plan_overview.suffix_of(plan)
    if phase:
        await phases.require(db, plan.plan_id, phase, suffix=suffix)
    total = await steps.count(db, plan.plan_id, suffix=suffix) if indices else 0
    if strange := sorted({index for index in indices if index >= total}):
        raise NotFound(
            f"The plan {plan.plan_id} has no step at index {', '.join(map(str, strange))}: it has {total} steps. "
            f"memory_steps action='list' plan_id={plan.plan_id!r} lists them."
        )


async def _author(call: Call) -> str | None:
    """Return the name of the agent that calls."""
    if call.shared.agent or not call.shared.session_id:
        return call.shared.agent
    return (await sessions.require(call.db, call.shared.session_id)).agent


async def _version(
    call: Call, plan: Plan | None, output_path: str | None, wanted: str | None, text: Callable[[str], str]
) -> str:
    """Return the version of a prompt: behind that of the file whose place it takes, unless another one is wanted.

    The same prompt again stays the version that it was.
    """
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    there = await output_files.present(call, workspace_id, output_path, ends=MARKDOWN) if output_path else None
    last = simple(there)[0].get("version") if there else None
    if not isinstance(last, str) or not re.fullmatch(VERSION, last):
        return wanted or FIRST_VERSION
    if wanted in (None, last) and text(last) == there:
        return last
    major, minor, patch = last.split(".")
    return wanted if wanted and wanted != last else f"{major}.{minor}.{int(patch) + 1}"


def _front_matter(head: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of front matter: JSON is YAML, whatever a text holds."""
    yield "---"
    for name, value in head.items():
        if value not in (None, []):
            yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
    yield "---"


def _body(sections: Sequence[PromptSection]) -> Iterator[str]:
    for section in sections:
        yield from (f"## {section.title}", "", section.content.strip(), "")


@TOOL.action(writes_with="output_path", takes=("budget", "force"), then=output_files.carry_out)
async def dump_context(call: Call, *, plan_id: Id, output_path: OutputPath | None = None) -> dict[str, Any]:
    """A plan with all its context, as JSON.

    {"plan": {the document of export_plan}, "workspace_context": {the sections of its workspace}}. Without output_path
    the text is `content`, in pieces if need be (`next_offset`); with it the text is written to that file of the
    project, which ends in .json. A file that is there is replaced only with force=true.

    Example: {"action":"dump_context","plan_id":"plan_1rqewqexykb7","output_path":"docs/all.json"}
    """
    plan = await plans.require(call.db, plan_id)
    whole = {"plan": json.loads((await documents.plan(call.db, plan_id)).content)}
    parent = Parent(parent_type="workspace", parent_id=plan.workspace_id)
    if known := await context_items.find(call.db, parent, WORKSPACE_SECTIONS, workspace_id=plan.workspace_id):
        whole["workspace_context"] = known.data
    text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    told = await _give(call, plan, text, output_path, ends=JSON, summary=f"Context of {plan.title} written")
    return {**told, "sections": list(whole)}


async def _give(
    call: Call, plan: Plan | None, text: str, output_path: str | None, *, ends: Sequence[str], summary: str
) -> dict[str, Any]:
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    about = ("plan", plan.plan_id) if plan else ("workspace", workspace_id)
    event = Event("file_written", *about, workspace_id, plan.plan_id if plan else None, summary)
    told: dict[str, Any] = {"workspace_id": workspace_id, **({"plan_id": plan.plan_id} if plan else {})}
    return {**told, **await output_files.give(call, workspace_id, text, output_path, ends=ends, event=event)}
