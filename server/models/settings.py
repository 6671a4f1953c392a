"""The settings that stand in the database, once each: name, values, default and meaning."""

from dataclasses import dataclass

from server.models.base import Row


@dataclass(frozen=True)
class Definition:
    """One setting that all servers of a file share. Its values go from the strictest to the loosest."""

    key: str
    values: tuple[str, ...]
    default: str
    meaning: str

    def loosens(self, old: str, new: str) -> bool:
        return self.values.index(new) > self.values.index(old)


DEFINITIONS = (
    Definition(
        "gates",
        ("human", "relayed"),
        "human",
        "who opens a gate: human (a person, in their editor or a terminal), or relayed (also an agent that never "
        "worked on it and passes its user's word on)",
    ),
)
DEFAULTS = {found.key: found.default for found in DEFINITIONS}


class SharedSetting(Row):
    """A row of `settings`."""

    key: str
    value: str
    changed_by: str | None = None
    via: str
    updated_at: str
