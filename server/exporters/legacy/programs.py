"""Programs in their four files, or, where a plan was the program, in that plan's state."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.db.interchange.exports import Rows
from server.exporters.folder import File
from server.exporters.legacy import entries
from server.exporters.legacy.beside import brand_new, rewritten
from server.exporters.legacy.entries import Change, Entry
from server.importers.reading import is_list, is_object, list_of, object_of

NAMES = ("program.json", "manifest.json", "dependencies.json", "risks.json")


def changed_file(path: str, data: bytes, known: Change, members: Rows, modified_at: str | None) -> File:
    """Return one of the files of an imported program as it is now."""
    name = path.rpartition("/")[2]
    [program_id] = known.now["programs"]

    def changed(value: Any) -> Any:
        if name == "program.json":
            return entries.patched(
                value, "programs", known.before["programs"][program_id], known.now["programs"][program_id]
            )
        if name == "manifest.json" and is_object(value):
            return _with_members(object_of(value), "plan_ids", known, members)
        if name == "risks.json" and is_list(value):
            return _listed(list_of(value), known)
        return value

    return rewritten(path, data, changed, modified_at=modified_at)


def with_children(state: Entry, known: Change, members: Rows) -> Entry:
    """Return the state of a plan that is a program with the children that it has now."""
    return _with_members(state, "child_plan_ids", known, members)


def new_files(folder: str, known: Change, members: Rows, names: tuple[str, ...] = NAMES) -> Iterator[File]:
    """Yield the files of a program that has none of them yet."""
    [row] = known.now["programs"].values()
    files: Mapping[str, Any] = {
        "program.json": entries.fresh("programs", row),
        "manifest.json": {
            "program_id": row["program_id"],
            "plan_ids": _plan_ids(members),
            "updated_at": row["updated_at"],
        },
        "dependencies.json": [],
        "risks.json": [entries.fresh("program_risks", risk) for risk in known.now.get("program_risks", {}).values()],
    }
    for name in names:
        yield brand_new(f"{folder}/{name}", files[name])


def _plan_ids(members: Rows) -> list[str]:
    return [row["plan_id"] for row in members.get("program_plans", [])]


def _with_members(value: Entry, name: str, known: Change, members: Rows) -> Entry:
    """Return a list of plans without those that left the program, and with those that came. Unknown ones stay."""
    [program_id] = known.now["programs"]
    before = [key.removeprefix(f"{program_id} ") for key in known.before.get("program_plans", {})]
    now = _plan_ids(members)
    if set(before) == set(now) or not isinstance(value.get(name, []), list):
        return value
    kept = [plan_id for plan_id in value.get(name, []) if plan_id in now or plan_id not in before]
    listed = [*kept, *(plan_id for plan_id in now if plan_id not in kept and plan_id != program_id)]
    return {**value, name: listed}


def _listed(value: list[Any], known: Change) -> list[Any]:
    holder: Entry = {"": value}
    entries.listed(holder, "", "program_risks", known)
    return holder[""]
