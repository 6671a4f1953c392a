"""What all files of a project share on their way into rows: whose they are, and which plan an id of theirs means."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from server.importers.reading import object_of
from server.importers.taking import Taken
from server.importers.values import Fields, Object, Teller, callable_as, derived, moment, place

NAME = "vibe-agency"
# Tables of which several files may tell the same row.
SHARED = (
    "plans",
    "phases",
    "steps",
    "sessions",
    "plan_terms",
    "artifacts",
    "budgets",
    "memory_entries",
    "dependencies",
)


@dataclass
class Project:
    """A project in the making. `taken` are ids of plans of other workspaces, `born` of what was made here.

    `made`: the path of a file (or its part) -> the plan that it makes. `named`: an id as the files have it -> the plan.
    `twins`: the path of a file -> that of one with the same bytes, which counts. `about`: the path of a memory -> its
    plan. `missions`: the path of a database -> the plans of its missions by their numbers.
    `main`: the plan that what names none is about. `trajectory`: plan -> where the memory says that it stands.
    """

    workspace_id: str
    taken: Collection[str] = ()
    born: Collection[str] = ()
    made: dict[str, str] = field(default_factory=dict[str, str])
    named: dict[str, str] = field(default_factory=dict[str, str])
    hashes: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])  # id -> sha256, path
    twins: dict[str, str] = field(default_factory=dict[str, str])
    about: dict[str, str] = field(default_factory=dict[str, str])
    missions: dict[str, dict[Any, str]] = field(default_factory=dict[str, dict[Any, str]])
    main: str | None = None
    trajectory: dict[str, Object] = field(default_factory=dict[str, Object])
    rows: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict[tuple[str, str], Mapping[str, Any]])

    def claim(self, path: str, foreign: object, sha256: str, *, by_path: bool = False) -> str:
        """Return the plan that a file makes: by the id it has, if that is one and is not taken by another file.

        One that goes `by_path` has a name that may change.
        """
        told = str(foreign).strip() if isinstance(foreign, str | int) and not isinstance(foreign, bool) else ""
        if not told or by_path:
            plan_id = derived("plan", NAME, self.workspace_id, path)
        elif told in self.named:
            plan_id = derived("plan", NAME, self.workspace_id, told, path)
        elif told in self.taken or callable_as(told) != told:
            plan_id = derived("plan", NAME, self.workspace_id, told)
        else:
            plan_id = told
        if told:
            self.named.setdefault(told, plan_id)
            self.hashes.setdefault(told, (sha256, path))
        self.made[path] = plan_id
        return plan_id


class Part:
    """One file on its way into rows."""

    def __init__(self, project: Project, taken: Taken) -> None:
        self.project = project
        self.taken = taken
        self.path = taken.content.path
        self.at = taken.content.modified_at
        self.sha256 = taken.content.sha256

    @property
    def workspace_id(self) -> str:
        return self.project.workspace_id

    @property
    def teller(self) -> Teller:
        return self.taken.teller

    def id(self, prefix: str, *parts: object) -> str:
        return self.taken.make.id(prefix, *parts)

    def fields(self, value: object, at: str = "$") -> Fields:
        """Return the fields of an object; of anything else, of an empty one."""
        return Fields(object_of(value), at, self.teller)

    def add(self, table: str, values: Object, at: str = "$", plan_id: str | None = None, *, version: str = "") -> None:
        """Add a row, unless another file has said the same. One of a `version` stays when its file goes on."""
        name = next(iter(self.taken.make.columns[table]))
        key, named = str(values[name]), {column: value for column, value in values.items() if column != name}
        plan_id = named.pop("plan_id", plan_id)
        if table not in SHARED:
            row = self.taken.make.row(table, key, at, plan_id=plan_id, **named)
            self.taken.add(replace(row, path=f"{self.path}#{version}") if version else row)
            return
        earlier = self.project.rows.get((table, key))
        if earlier is None:
            self.project.rows[table, key] = values
            self.taken.add(self.taken.make.row(table, key, at, plan_id=plan_id, **named))
            return
        same = all(earlier.get(name) == value for name, value in values.items() if name not in ("extra", "created_at"))
        self.teller.tell("info" if same else "warning", at, f"said twice ({table}); the first counts", key)

    def is_new(self, table: str, key: str) -> bool:
        return (table, key) not in self.project.rows

    def moment(self, *values: object) -> str:
        """Return the first of the values that is a time, else that of the file."""
        return next((at for value in values if (at := moment(value))), self.at)


def inner(found: Fields, name: str, part: Part) -> Fields:
    """Take the object in a field; `settle` puts back what is left of it."""
    return part.fields(found.maybe_object(name), place(found.at, name))


def settle(found: Fields, name: str, taken: Fields) -> None:
    """Put what nobody took of an object back where it was."""
    if taken.left:
        found.left[name] = taken.left
