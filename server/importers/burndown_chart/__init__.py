"""burndown-chart: profiles with their queries, issues, caches and measurements; folders, databases and packages."""

from collections.abc import Iterator
from pathlib import Path

from server.importers.burndown_chart import places, reader
from server.importers.layout import Known, RecognisedSource, SourceFile, SourceWorkspace
from server.models.imports import ImportBatch

NAME = reader.NAME


def recognise(path: Path) -> RecognisedSource | None:
    """Return what is at a path: the folder of the program, one of its databases, or a package that it exported."""
    found = places.find(path)
    if found is None:
        return None
    known = tuple(SourceWorkspace(reader.owner(profile), None) for profile in found.profiles)
    return RecognisedSource(NAME, path, known, found, by_rows=True)


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield every file."""
    found: places.BurndownFiles = source.detail
    for place in found.places:
        yield SourceFile(reader.owner_of(place), place.entry.path, place.entry.location, place.entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the files become, one after the other."""
    yield from reader.BurndownReader(source.detail, known).all()
