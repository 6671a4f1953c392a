"""memory_context search: what people would want to find in three imaginary projects is found."""

import asyncio

import pytest
from mcp import Client

from scripts import search_set
from scripts.search_set import Project, Question
from server.app import build
from server.settings import Settings
from tests.conftest import Agent

FLOOR = 0.8  # far below what the bench measures: it holds for any sensible weights


class Answers:
    """The projects, what was asked about them, and the ids that were found for each query, the best first."""

    def __init__(self, projects: list[Project]) -> None:
        self.projects = projects
        self.questions = search_set.questions(projects)
        self.named = [one for project in projects for one in names(project)]
        self.found: list[list[str]] = []
        self.found_by_name: list[list[str]] = []


def names(project: Project) -> list[Question]:
    """A question for each title, slug and file name that is one of a kind and current."""
    old = {thing.get("supersedes") for thing in project.things["knowledge"]}
    titled = [*project.things["plan"], *project.things["knowledge"]]
    said = [(thing["title"], thing["key"]) for thing in titled]
    said += [(thing["key"], thing["key"]) for kind in ("knowledge", "research") for thing in project.things[kind]]
    archived = {plan["key"] for plan in project.things["plan"] if plan.get("archived")}
    gone = archived | {thing["key"] for thing in project.things["research"] if thing["plan"] in archived} | old
    return [
        Question(project.workspace_id, name, frozenset({project.ids[key]})) for name, key in said if key not in gone
    ]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("projects")

    async def fill_and_ask() -> Answers:
        async with Client(build(Settings(data_root=folder / "data")), raise_exceptions=True) as client:
            agent = Agent(client)
            told = Answers(await search_set.load(agent, folder))
            told.found = [await search_set.ask(agent, question) for question in told.questions]
            told.found_by_name = [await search_set.ask(agent, question) for question in told.named]
            return told

    return asyncio.run(fill_and_ask())


def test_the_set_is_large_enough_to_tell_something(answers: Answers) -> None:
    assert sum(len(found) for project in answers.projects for found in project.things.values()) >= 60
    assert len(answers.questions) >= 40
    assert len({question.query for question in answers.questions}) == len(answers.questions)


def test_most_of_what_is_wanted_is_among_the_first_five(answers: Answers) -> None:
    reported = search_set.halves(list(zip(answers.questions, answers.found, strict=True)))[1]
    told = search_set.score(*zip(*reported, strict=True))

    assert told.recall_at_5 > FLOOR
    assert told.mrr > FLOOR


def test_what_bears_the_name_that_is_asked_for_comes_first(answers: Answers) -> None:
    wrong = [
        question.query
        for question, found in zip(answers.named, answers.found_by_name, strict=True)
        if found[:1] != list(question.wanted)
    ]

    assert wrong == []


def test_what_was_superseded_or_archived_is_never_found(answers: Answers) -> None:
    gone = {
        project.ids[key]
        for project in answers.projects
        for key in (
            *(plan["key"] for plan in project.things["plan"] if plan.get("archived")),
            *(entry["supersedes"] for entry in project.things["knowledge"] if "supersedes" in entry),
        )
    }

    assert len(gone) >= 4
    assert not gone & {one for found in (*answers.found, *answers.found_by_name) for one in found}


# What something is about, and where that is told. Each is older than hundreds of others that mention the very words.
TOLD = {
    "knowledge": {
        "deployment rollback": "A deployment is rolled back by its tag; a rollback of the deployment needs no build.",
        "lease expiry": "The lease of a worker has an expiry; at expiry the lease is free.",
        "invoice rounding": "Rounding of an invoice happens per line; the invoice total is a sum of rounding results.",
        "cache invalidation": "Invalidation of the cache follows each write; cache invalidation is by key.",
        "token rotation": "Rotation replaces each token at night. A token survives one rotation.",
        "queue backpressure": "Backpressure keeps the queue short; without backpressure the queue grows.",
        "schema drift": "Drift of a schema is found by a diff. A schema without drift has no diff.",
    },
    "context": {
        "upload retries": "upload retries back off; retries of an upload stop after five; upload retries are counted",
        "image resizing": "resizing keeps the ratio of an image; image resizing runs at night; resizing needs memory",
        "feature flags": "flags hide a feature; a feature behind flags is off; feature flags expire",
        "audit trail": "the audit trail is append only; no trail without audit; audit trail entries are signed",
        "rate limiting": "rate limiting is per key; limiting the rate of a key; the rate falls by limiting",
        "session fixation": "fixation of a session is refused; a session changes at login, so fixation fails",
        "search ranking": "ranking of a search is by words; search ranking prefers titles; ranking is stable",
    },
    "step": {
        "pallet labels": "Print pallet labels",
        "axle grease": "Choose the axle grease",
        "sensor noise": "Filter sensor noise",
        "battery swap": "Automate the battery swap",
        "gripper force": "Limit the gripper force",
        "route planner": "Replace the route planner",
    },
}
QUERIES = [query for queries in TOLD.values() for query in queries]
NEWER, AT_ONCE = 300, 5


async def test_what_is_about_the_words_is_not_lost_behind_newer_mentions_of_them(
    agent: Agent, workspace_id: str
) -> None:
    here = {"workspace_id": workspace_id}
    plan_id = (await agent("memory_plan", "create", **here, title="The old one", category="quick_task"))["plan_id"]
    wanted = dict[str, str]()
    for number, (query, text) in enumerate(TOLD["knowledge"].items()):
        named = {"slug": f"entry-{number}", "title": f"About entry {number}"}
        await agent("memory_context", "knowledge_store", **here, **named, content=text)
        wanted[query] = (await agent("memory_context", "knowledge_get", **here, slug=named["slug"]))["knowledge_id"]
    for query, text in TOLD["context"].items():
        kept = await agent("memory_context", "store", plan_id=plan_id, type=f"n{len(wanted)}", data={"text": text})
        wanted[query] = kept["item_id"]
    tasks = [{"task": task, "phase": "Work"} for task in TOLD["step"].values()]
    await agent("memory_steps", "add", plan_id=plan_id, steps=tasks)
    steps = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
    wanted |= {query: step["step_id"] for query, step in zip(TOLD["step"], steps, strict=True)}
    for start in range(0, len(QUERIES), AT_ONCE):
        said = " and about ".join(QUERIES[start : start + AT_ONCE])
        mentions = [
            {"task": f"Ask around at stand-up {number} who knows anything about {said}", "phase": "Talk"}
            if number % 2
            else {"task": f"Write up meeting {number}", "notes": f"Somebody spoke about {said}", "phase": "Talk"}
            for number in range(NEWER)
        ]
        await agent("memory_steps", "add", plan_id=plan_id, steps=mentions)

    lost = dict[str, int]()
    for query in QUERIES:
        found = await search_set.ask(agent, Question(workspace_id, query, frozenset({wanted[query]})))
        if found[0] != wanted[query]:
            lost[query] = found.index(wanted[query]) if wanted[query] in found else -1
    assert len(QUERIES) == 20
    assert lost == {}
