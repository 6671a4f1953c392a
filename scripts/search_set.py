"""The relevance set of the search: three imaginary projects, what is asked about them, and what one would want to find.

It lies in `tests/data/search/`. A test stores it through a client, the bench in a store whose clock it sets.
"""

import tomllib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from server.models.search import ID_NAMES

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "search"
PROJECTS = ("lantern", "kontor", "tidepool")
OURS = ("key", "days", "plan", "archived", "phase")  # what is ours to read, and no argument of a call
LIMIT = 10

# How a thing is stored: tool, action, the argument that its key is, and the id that comes back.
CALLS = {
    "plan": ("memory_plan", "create", None, "plan_id"),
    "note": ("memory_plan", "add_note", None, "note_id"),
    "handoff": ("memory_agent", "handoff", None, "lineage_id"),
    "session": ("memory_agent", "init", None, "session_id"),
    "message": ("memory_session", "send_message", None, "message_id"),
    "context": ("memory_context", "store", None, "item_id"),
    "research": ("memory_context", "append_research", "filename", "document_id"),
    "knowledge": ("memory_context", "knowledge_store", "slug", "knowledge_id"),
    "memory": ("memory_context", "remember", "key", "entry_id"),
}
Json = dict[str, Any]


class Call(Protocol):
    """Runs an action of a tool and returns its parsed result."""

    def __call__(self, tool: str, action: str, /, **arguments: Any) -> Awaitable[Json]: ...


@dataclass(frozen=True)
class Project:
    """A project in a workspace: what was stored of it by kind, and the ids by key."""

    name: str
    workspace_id: str
    things: dict[str, list[Json]]
    ids: dict[str, str]


@dataclass(frozen=True)
class Question:
    """A query in a workspace, and the ids of what should be found."""

    workspace_id: str
    query: str
    wanted: frozenset[str]


@dataclass(frozen=True)
class Score:
    """How well queries were answered: the mean of 1 / rank of the first wanted hit, and of the share within five."""

    mrr: float
    recall_at_5: float


def today(_: float) -> None:
    """Leave the clock alone."""


async def load(call: Call, folder: Path, *, at: Callable[[float], None] = today) -> list[Project]:
    """Store the projects, each in a folder of its own in `folder`.

    `at` is told how many days ago the next call is made.
    """
    projects: list[Project] = []
    for name in PROJECTS:
        (folder / name).mkdir()
        home = (await call("memory_workspace", "register", workspace_path=str(folder / name)))["workspace_id"]
        things: dict[str, list[Json]] = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        projects.append(Project(name, home, things, await _store(call, home, things, at)))
    at(0)
    return projects


def questions(projects: Sequence[Project]) -> list[Question]:
    """Return what is asked about the projects."""
    asked = tomllib.loads((FOLDER / "queries.toml").read_text(encoding="utf-8"))
    return [
        Question(one.workspace_id, query, frozenset(_id(one, name) for name in wanted))
        for one in projects
        for query, wanted in asked[one.name].items()
    ]


def _id(project: Project, name: str) -> str:
    return name if name.startswith("memory_") else project.ids[name]


async def _store(call: Call, home: str, things: dict[str, list[Json]], at: Callable[[float], None]) -> dict[str, str]:
    """Store what there is of a project, the oldest first, and return the ids by key."""
    ids: dict[str, str] = {}
    everything = [(kind, thing) for kind, found in things.items() for thing in found]
    for kind, thing in sorted(everything, key=lambda one: -one[1]["days"]):
        at(thing["days"])
        ids |= await _store_one(call, home, kind, thing, ids)
    for plan in things["plan"]:
        if plan.get("archived"):
            await call("memory_plan", "archive", plan_id=ids[plan["key"]])
    return ids


async def _store_one(call: Call, home: str, kind: str, thing: Json, known: dict[str, str]) -> dict[str, str]:
    tool, action, key, id_name = CALLS[kind]
    given = {name: value for name, value in thing.items() if name not in OURS and name != "summary"}
    given |= {key: thing["key"]} if key else {}
    given |= {"plan_id": known[thing["plan"]]} if "plan" in thing else {"workspace_id": home}
    if kind == "plan":
        given["phases"] = [
            {"name": phase["name"], "steps": [{"task": task} for task in phase["steps"]]} for phase in thing["phase"]
        ]
    told = await call(tool, action, **given)
    if kind == "plan":
        return {thing["key"]: told["plan_id"], **await _parts(call, thing["key"], told["plan_id"])}
    if kind == "session":
        await call("memory_agent", "complete", session_id=told["session_id"], summary=thing["summary"])
    if kind == "memory":
        told = await call("memory_context", "recall", workspace_id=home, key=thing["key"])
    return {thing["key"]: told[id_name]}


async def _parts(call: Call, key: str, plan_id: str) -> dict[str, str]:
    """Return the ids of the steps and phases of a plan."""
    steps = (await call("memory_steps", "list", plan_id=plan_id))["steps"]
    phases = (await call("memory_plan", "get", plan_id=plan_id))["phases"]
    found = {f"{key}/{step['index']}": step["step_id"] for step in steps}
    return found | {f"{key}#{phase['name']}": phase["phase_id"] for phase in phases}


async def ask(call: Call, question: Question) -> list[str]:
    """Return the ids of the hits of a question, the best first."""
    found = await call(
        "memory_context", "search", workspace_id=question.workspace_id, query=question.query, limit=LIMIT
    )
    return [hit[ID_NAMES[hit["kind"]]] for hit in found["hits"]]


def score(questions: Sequence[Question], answers: Sequence[Sequence[str]]) -> Score:
    """Return how well the answers to some questions are ranked."""
    ranks = [_first(question.wanted, found) for question, found in zip(questions, answers, strict=True)]
    shares = [
        len(question.wanted & set(found[:5])) / min(len(question.wanted), 5)
        for question, found in zip(questions, answers, strict=True)
    ]
    return Score(sum(ranks) / len(ranks), sum(shares) / len(shares))


def _first(wanted: frozenset[str], found: Sequence[str]) -> float:
    return next((1 / rank for rank, one in enumerate(found, 1) if one in wanted), 0.0)


def halves(questions: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the half that weights may be tuned on, and the half that is reported."""
    return questions[::2], questions[1::2]
