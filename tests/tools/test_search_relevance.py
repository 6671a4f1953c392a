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
