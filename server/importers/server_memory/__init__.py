"""The knowledge graph of server-memory: entities and relations as JSON lines, of no project."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from server.importers import layout
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.reading import Content, Entry, UnreadableFile, parse, stream
from server.importers.server_memory import graph
from server.importers.taking import Taker
from server.models.imports import ImportBatch

NAME: str = "server-memory"
USUAL = ("memory.jsonl", "memory.json")  # the older one holds lines as well
ENDINGS = (".jsonl", ".json")
FEW = 5  # lines that are looked at to tell whether a file holds a graph


def recognise(path: Path) -> RecognisedSource | None:
    """Return the graph that a file holds, or the usual files of a folder."""
    named = [path] if path.suffix in ENDINGS and path.is_file() else [path / name for name in USUAL]
    entries = tuple(Entry(one.name, one) for one in named if _holds_a_graph(one))
    folder = path if path.is_dir() else path.parent
    return layout.placeless(NAME, folder, folder.absolute(), entries) if entries else None


def _holds_a_graph(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file():
            return False
        lines = islice(stream(Entry(path.name, path), Content(path.name, "", 0, b"", "")), FEW)
        return any(_is_of_a_graph(line) for _, line in lines)
    except (OSError, UnreadableFile):
        return False


def _is_of_a_graph(line: bytes) -> bool:
    try:
        return graph.kind_of(parse(line.decode("utf-8", "replace").lstrip("\ufeff"), [])) is not None
    except UnreadableFile:
        return False


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the files of the graph."""
    for entry in source.detail:
        yield SourceFile(source.workspaces[0].workspace_id, entry.path, entry.location)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the graph becomes, some hundred lines at a time."""
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    for number, entry in enumerate(source.detail):
        name = f"{source.root.name} memory" if number == 0 and taker.is_new else None
        yield from graph.of_file(taker, entry, name)
