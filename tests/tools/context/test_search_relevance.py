"""memory_context search: what people would want to find in three imaginary projects is found."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from scripts import search_set
from scripts.search_set import Project, Question
from server.db.plans import plans
from server.db.steps import steps
from server.models.steps import NewStep
from server.protocol.app import build
from server.settings import Settings
from server.store import open_store
from server.text import text_analysis
from tests.conftest import Agent

FLOOR = 0.8  # far below what the bench measures: it holds for any sensible weights


class Answers:
    """The projects, what was asked about them, and the ids that were found for each query, the best first."""

    def __init__(self, folder: Path, projects: list[Project]) -> None:
        self.settings = Settings(data_root=folder / "data", synchronous="off")
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
        async with Client(
            build(Settings(data_root=folder / "data", synchronous="off")), raise_exceptions=True
        ) as client:
            agent = Agent(client)
            told = Answers(folder, await search_set.load(agent, folder))
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


# Each has 300 newer steps of its own that mention its words: all of them in passing, or one in a title.
CROWDED = (
    "retry policy",
    "payment retries",
    "How often do we retry payments?",
    "port of the API server",
    "double charge",
    "flaky tests",
    "pricing engine",
    "dead letter queue",
    "VAT Germany",
    "Größe Anhang",
    "uberfallige rechnungen",
    "C# style",
    ".NET 8",
    "which fonts may be embedded",
    "PDF renderer",
    "encryption parameters",
    "libsodium or tink",
    "cold start",
    "lost passphrase",
    "lamport timestamps",
)
DISTRACTORS = 300
LONG_AGO = "2020-01-01T00:00:00.000Z"
BETWEEN = ", spoke at length about the lift that broke, the canteen and the weather, and came in the end to "


@pytest.fixture(scope="module")
def crowded(answers: Answers) -> dict[str, int]:
    """At which place each query finds what is wanted among its distractors; 0 where it does not."""

    async def fill_and_ask() -> dict[str, int]:
        asked = [question for question in answers.questions if question.query in CROWDED]
        await distract(answers.settings, asked)
        async with Client(build(answers.settings), raise_exceptions=True) as client:
            agent = Agent(client)
            return {question.query: place(question, await search_set.ask(agent, question)) for question in asked}

    return asyncio.run(fill_and_ask())


async def distract(settings: Settings, asked: list[Question]) -> None:
    """Store the distractors in one transaction; what was there before is years old."""
    db = await open_store(settings)
    async with db.transaction() as tx:
        await tx.run("UPDATE search_documents SET updated_at = :then WHERE updated_at > :then", {"then": LONG_AGO})
        for question in asked:
            plan = await plans.insert(tx, workspace_id=question.workspace_id, title="Talk")
            await steps.insert_many(tx, plan.plan_id, list(distractors(question.query)))
    await db.close()


def distractors(query: str) -> Iterator[NewStep]:
    words = [term.raw for term in text_analysis.parse(query)]
    passing = BETWEEN.join(["Somebody began with some news", *words, "lunch"])
    for number in range(DISTRACTORS):
        titled = f"Meeting {number} at which {words[number // 2 % len(words)]} was a word that somebody said"
        if number % 2:
            yield NewStep(task=f"Meeting {number} of the week", notes=passing, phase="Talk")
        else:
            yield NewStep(task=titled, notes="Nothing came of it", phase="Talk")


def test_what_is_wanted_stands_above_300_newer_distractors(crowded: dict[str, int]) -> None:
    assert len(crowded) == len(CROWDED) == 20
    assert {query: place for query, place in crowded.items() if place != 1} == {}


# What something is about, and where that is told. Each is older than more others that mention the very words than are
# weighed.
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
    "research": {
        "orchard irrigation": "Irrigation of the orchard runs at dawn. The orchard needs less irrigation in May.",
        "invoice_parser": "invoice_parser reads one page at a time. What invoice_parser cannot read, it keeps.",
        "turbine blade fatigue": "Fatigue begins at the root of a blade: the fatigue of a turbine blade is heard.",
        "übersetzung": "Die Übersetzung ist fertig. Eine Übersetzung hat einen Prüfer.",
        "glacier": "A glacier moves; where a glacier ends there is a lake.",
        "ledger migration": "Freeze the ledger, then copy it. The ledger is thawed once the migration has ended. " * 3,
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
BODIES = [query for kind in ("knowledge", "context", "research") for query in TOLD[kind]]
QUERIES = [*BODIES, *TOLD["step"]]
NEWER, AT_ONCE = 1_500, 7
UNKNOWN = "qqqqqqqq"


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """At which place each query finds what is about it, behind 1,500 newer mentions; 0 where it does not.

    It is asked with a word besides, too, that nothing has.
    """
    folder = tmp_path_factory.mktemp("mentioned")

    async def fill_and_ask() -> dict[str, int]:
        async with Client(
            build(Settings(data_root=folder / "data", synchronous="off")), raise_exceptions=True
        ) as client:
            agent = Agent(client)
            home = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
            wanted = await tell(agent, home)
            plan = await agent("memory_plan", "create", workspace_id=home, title="Talk", category="quick_task")
            for start in range(0, len(QUERIES), AT_ONCE):
                said = " and about ".join(QUERIES[start : start + AT_ONCE])
                await agent("memory_steps", "add", plan_id=plan["plan_id"], steps=mentions(said))
            asked = [
                Question(home, query + besides, frozenset({one}))
                for query, one in wanted.items()
                for besides in ("", f" {UNKNOWN}")
            ]
            return {question.query: place(question, await search_set.ask(agent, question)) for question in asked}

    return asyncio.run(fill_and_ask())


async def tell(agent: Agent, home: str) -> dict[str, str]:
    """Store what is about something; return its id by the query that wants it."""
    plan = await agent("memory_plan", "create", workspace_id=home, title="The old one", category="quick_task")
    plan_id = plan["plan_id"]
    wanted = dict[str, str]()
    for number, (query, text) in enumerate(TOLD["knowledge"].items()):
        named = {"slug": f"entry-{number}", "title": f"About entry {number}"}
        await agent("memory_context", "knowledge_store", workspace_id=home, **named, content=text)
        entry = await agent("memory_context", "knowledge_get", workspace_id=home, slug=named["slug"])
        wanted[query] = entry["knowledge_id"]
    for query, text in TOLD["context"].items():
        kept = await agent("memory_context", "store", plan_id=plan_id, type=f"n{len(wanted)}", data={"text": text})
        wanted[query] = kept["item_id"]
    for query, text in TOLD["research"].items():
        named = {"plan_id": plan_id, "filename": f"file-{len(wanted)}.md"}
        wanted[query] = (await agent("memory_context", "append_research", **named, content=text))["document_id"]
    tasks = [{"task": task, "phase": "Work"} for task in TOLD["step"].values()]
    await agent("memory_steps", "add", plan_id=plan_id, steps=tasks)
    steps = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
    return wanted | {query: step["step_id"] for query, step in zip(TOLD["step"], steps, strict=True)}


def mentions(said: str) -> list[dict[str, str]]:
    return [
        {"task": f"Ask around at stand-up {number} who knows anything about {said}", "phase": "Talk"}
        if number % 2
        else {"task": f"Write up meeting {number}", "notes": f"Somebody spoke about {said}", "phase": "Talk"}
        for number in range(NEWER)
    ]


def place(question: Question, found: list[str]) -> int:
    return next((place for place, one in enumerate(found, 1) if one in question.wanted), 0)


def test_what_is_about_the_words_in_its_body_alone_is_not_lost_behind_newer_mentions(ranks: dict[str, int]) -> None:
    assert len(BODIES) == 20
    assert {query: ranks[query] for query in BODIES if ranks[query] != 1} == {}


def test_what_is_about_all_known_words_is_not_lost_behind_newer_mentions(ranks: dict[str, int]) -> None:
    assert {query: ranks[f"{query} {UNKNOWN}"] for query in BODIES if ranks[f"{query} {UNKNOWN}"] != 1} == {}


def test_what_has_the_words_as_its_title_is_not_lost_behind_newer_mentions(ranks: dict[str, int]) -> None:
    assert {query: ranks[query] for query in TOLD["step"] if ranks[query] != 1} == {}
