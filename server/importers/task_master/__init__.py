"""The tasks of Task Master: `.taskmaster` of a project, or the `tasks/tasks.json` of its first versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.importers import layout
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.reading import Entry, UnreadableFile, json_of, list_of, object_of, walk
from server.importers.reading import read as read_whole
from server.importers.taking import Taker
from server.importers.task_master import tags
from server.models.imports import Finding, ImportBatch

NAME: str = "task-master"
HOME = ".taskmaster"
TASKS = f"{HOME}/tasks/tasks.json"
OLD_TASKS, OLD_CONFIG = "tasks/tasks.json", ".taskmasterconfig"
OLD_REPORT = "scripts/task-complexity-report.json"
REPORTS = f"{HOME}/reports/"
MARKS = ((TASKS, ""), (OLD_TASKS, '"testStrategy"'))
SETTINGS = (f"{HOME}/config.json", f"{HOME}/state.json", OLD_CONFIG)
TEXTS = (".json", ".txt", ".md", ".yaml", ".yml", ".toml", "")
NO_TASKS = "Task Master has no file of tasks here: with its hosted mode they are not in the project"
NOT_CURRENT = f"the tasks are in {TASKS}, which counts"


@dataclass(frozen=True)
class TaskMasterStore:
    """A recognised store: the file of tasks that counts, and all other files."""

    tasks: Entry | None
    others: tuple[Entry, ...]


def recognise(path: Path) -> RecognisedSource | None:
    """Return the tasks of a project, of its `.taskmaster`, or of a file of tasks."""
    folder = _project(path)
    home = folder / HOME
    entries: list[Entry] = []
    if home.is_dir() and not home.is_symlink():
        entries = [Entry(f"{HOME}/{entry.path}", entry.location, entry.odd) for entry in walk(home)]
    for name in (OLD_TASKS, OLD_CONFIG, OLD_REPORT):
        one = folder / name
        is_there = one.is_file() and not one.is_symlink() and not one.parent.is_symlink()
        if is_there and (name != OLD_TASKS or _holds_tasks(one)):
            entries.append(Entry(name, one))
    by_path = {entry.path: entry for entry in entries}
    tasks = by_path.get(TASKS) or by_path.get(OLD_TASKS)
    if tasks is None and not by_path.keys() & set(SETTINGS):
        return None
    return layout.project(NAME, folder, TaskMasterStore(tasks, tuple(one for one in entries if one is not tasks)))


def _project(path: Path) -> Path:
    """Return the project that a path is in: of a file of tasks, the one of its folder."""
    if path.name == "tasks.json" and path.parent.name == "tasks" and path.is_file():
        path = path.parent.parent
    return path.parent if path.name == HOME else path


def _holds_tasks(path: Path) -> bool:
    """Return whether a file that anybody may have is one of tasks."""
    try:
        value = json_of(read_whole(Entry(path.name, path)))
    except (OSError, UnreadableFile):
        return False
    return any(_are_tasks(list_of(one.get("tasks"))) for one in (object_of(value), *_objects(value)))


def _objects(value: object) -> Iterator[dict[str, object]]:
    yield from (object_of(one) for one in object_of(value).values())


def _are_tasks(value: list[Any]) -> bool:
    return bool(value) and all({"id", "title", "status"} <= object_of(one).keys() for one in value[:5])


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the file of tasks, then all others."""
    store: TaskMasterStore = source.detail
    for entry in (store.tasks, *store.others):
        if entry:
            yield SourceFile(source.workspaces[0].workspace_id, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the tasks become, tag by tag, then reports and settings."""
    store: TaskMasterStore = source.detail
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    if taker.is_new:
        make = taker.maker(store.tasks.path if store.tasks else HOME, known.now)
        yield ImportBatch(taker.workspace_id, rows=[make.workspace(source.workspaces[0].path, source.root.name)])
    plans: dict[str, str] = {}
    if store.tasks:
        batch, taken = taker.json(store.tasks)
        if taken:
            plans = tags.add(taken)
        yield batch
    else:
        yield ImportBatch(taker.workspace_id, findings=[Finding("error", HOME, "$", NO_TASKS)])
    for entry in store.others:
        yield _other(taker, entry, plans)


def _other(taker: Taker, entry: Entry, plans: dict[str, str]) -> ImportBatch:
    is_report = entry.path == OLD_REPORT or (entry.path.startswith(REPORTS) and entry.path.endswith(".json"))
    if entry.path in SETTINGS or is_report:
        batch, taken = taker.json(entry)
        if taken and is_report:
            tags.add_report(taken, plans)
        elif taken:
            taken.add(taken.make.fact(NAME, Path(entry.path).name, taken.value))
        return batch
    if entry.path == OLD_TASKS:
        return taker.skipped(entry, NOT_CURRENT)
    is_text = entry.location.suffix.lower() in TEXTS
    return taker.skipped(entry, "no tasks: a document, or made of the tasks", keep=is_text)
