"""The file store of the first Project Memory: JSON files below a data root, a folder for each workspace."""

from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

from server.importers.layout import Ask, Known, RecognisedSource, SourceFile, SourceWorkspace
from server.importers.legacy import checking, folders, tree
from server.importers.legacy.survey import surveyed
from server.importers.legacy.tree import LegacyTree
from server.models.imports import Finding, ImportBatch, of

NAME: str = "legacy"


def recognise(path: Path) -> RecognisedSource | None:
    """Return the store that a data root, workspace folder, plan folder, project or `.projectmemory` folder holds."""
    found = tree.find(path)
    if found is None:
        return None
    known = tuple(SourceWorkspace(place.workspace_id, place.path, place.aliases) for place in found.places)
    is_mark = all(place.plans == () for place in found.places) and found.data is None
    return RecognisedSource(NAME, path, known, found, is_mark)


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield every file of the store. What is odd about one shows when it is read."""
    found: LegacyTree = source.detail
    for place in found.places:
        for entry in tree.entries(place):
            yield SourceFile(place.workspace_id, entry.path, entry.location, entry.odd)
        if found.identity and place is found.places[0]:
            yield SourceFile(place.workspace_id, tree.IDENTITY, found.identity)
    for entry in tree.root_entries(found):
        yield SourceFile(None, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the store becomes, workspace by workspace, plan by plan."""
    survey = surveyed(source.detail, known)
    for place in survey.order:
        yield from folders.workspace(survey, place)
    yield from folders.rest(survey)


async def check(
    source: RecognisedSource, known: Known, ask: Ask, wanted: Callable[[str], bool]
) -> AsyncGenerator[tuple[str | None, list[Finding]]]:
    """Yield the wanted plans, each with what differs, then what differs in the rest."""
    survey = surveyed(source.detail, known)
    for header, files_of_plan in checking.groups(survey, wanted):
        found = await checking.plan(survey, ask, header, files_of_plan)
        yield header.plan_id, list(of(survey.target(header.place), found))
    yield None, [finding async for finding in checking.rest(survey, ask)]
