"""What a program wrote beside what we know of it is somewhere: in a column, in an extra field, or in the report."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.importers import layouts
from tests.importers.conftest import Taker
from tests.importers.test_no_value_is_lost import Marker, held

GENERATORS = layouts.generators()
# Caches of Jira's answers and lists of what has a file of its own: they are given back as bytes. An older export tells
# of memories that a newer one has.
AS_BYTES = ("jira_changelog_cache.json", "profiles.json")
NO_JSON = ("backlog-md", "conport")
OLDER = ("older-export.json",)


def marked(value: Any, marker: Marker, at: str) -> Any:
    """Add an unknown field to every object."""
    if isinstance(value, dict):
        return {name: marked(item, marker, f"{at}.{name}") for name, item in value.items()} | {"y_new": marker.mark(at)}
    return [marked(item, marker, f"{at}[]") for item in value] if isinstance(value, list) else value


def rewrite(file: Path, change: Callable[[Any], Any]) -> None:
    """Change each value of a file of JSON, or of JSON lines; what is neither stays."""
    text = file.read_text(encoding="utf-8")
    parts = [line for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else [text]
    try:
        values = [change(json.loads(part)) for part in parts]
    except ValueError:
        return
    file.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")


@pytest.mark.parametrize("name", sorted(GENERATORS))
async def test_no_unknown_field_is_lost(take: Taker, project: Path, name: str) -> None:
    made = GENERATORS[name](project, 1)
    markers: dict[str, Marker] = {}
    for file in sorted(project.rglob("*.json*")):
        if file.name not in (*AS_BYTES, *OLDER):
            path = file.relative_to(project).as_posix()
            marker = markers.setdefault(path, Marker())
            marker.numbers = count(len(markers) * 1_000_000)
            rewrite(file, lambda value, marker=marker, path=path: marked(value, marker, path))
    report = await take(made.source)
    imported = {row["path"] for row in await take.db.all("SELECT path FROM import_files WHERE status = 'imported'")}
    here = "\n".join(map(str, held(take.db.path, report)))
    places = {
        mark: place for path, marker in markers.items() if path in imported for mark, place in marker.places.items()
    }
    assert places or name in NO_JSON
    assert [place for mark, place in places.items() if str(mark) not in here] == []
