"""Context items and remembered facts: as callers describe them, as rows, and as tool results."""

import json
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, Field

from server.models.base import Described, Flag, Json, JsonObject, Model, Row, Strings
from server.models.text import Data, Id, Line, Lines, Text

ParentType = Literal["program", "workspace", "plan", "phase", "step", "session", "agent"]
StoreMode = Literal["replace", "merge", "append"]
Scope = Literal["workspace", "plan", "agent", "global"]
AnyScope = Literal["workspace", "plan", "agent", "global", "program", "linked", "all"]

TEN_YEARS = 315_360_000
TYPE_LENGTH = 200
WORKSPACE_SECTIONS = "workspace_context"  # the type of the item of a workspace that holds its sections

Lifetime = Annotated[int, Field(ge=1, le=TEN_YEARS, description="seconds")]
ItemType = Annotated[Line, Field(max_length=TYPE_LENGTH, description="what it is: research_findings, ...")]
Object = dict[str, Any]


def _from_text(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


class Parent(Model):
    """What a context item hangs on. An agent is a free name within its workspace."""

    parent_type: ParentType
    parent_id: str

    @property
    def key(self) -> tuple[str, str]:
        return self.parent_type, self.parent_id

    def __str__(self) -> str:
        return f"the {self.parent_type} {self.parent_id!r}"


class NewItem(Described):
    """One item of a batch as a caller describes it. The parent is the batch's unless it names its own."""

    type: ItemType
    data: Annotated[Data, BeforeValidator(_from_text)]
    parent_type: ParentType | None = None
    parent_id: Id | None = None
    plan_id: Id | None = None
    tags: Lines | None = None
    mode: StoreMode = "replace"
    expires_in: Lifetime | None = None


class SectionEntry(Described):
    """One thing that a section of a workspace tells."""

    title: Line
    description: Text | None = None
    links: Annotated[list[Line], Field(max_length=100)] | None = None


class WorkspaceSection(Described):
    """A part of what is known of a workspace."""

    summary: Text | None = None
    items: Annotated[list[SectionEntry], Field(max_length=1000)] | None = None


class PromptSection(Described):
    """A part of a prompt file."""

    title: Line
    content: Text


class ContextItem(Row):
    """A row of `context_items` or of its archive; `data` comes back exactly as it was stored, empty or not."""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"data"})

    item_id: str
    workspace_id: str
    parent_type: ParentType
    parent_id: str
    type: str
    data: JsonObject
    tags: Strings
    version: int
    created_by: str | None = None
    created_at: str
    updated_at: str
    expires_at: str | None = None
    archived: Flag = None


class ItemBrief(Row):
    """An item in a list: everything but its data, of which only the size in bytes is told."""

    item_id: str
    parent_type: ParentType
    parent_id: str
    type: str
    bytes: int
    tags: Strings
    version: int
    created_by: str | None = None
    updated_at: str
    expires_at: str | None = None


class Stored(Row):
    """What storing an item did."""

    item_id: str
    workspace_id: str
    parent_type: ParentType
    parent_id: str
    type: str
    version: int
    created: Flag = None
    updated: Flag = None
    bytes: int
    expires_at: str | None = None


class Fact(Row):
    """A row of `memory_entries`: a small durable fact under a key."""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"value"})

    entry_id: str
    workspace_id: str | None = None
    scope: Scope
    scope_id: str
    namespace: str
    key: str
    value: Json
    version: int
    created_by: str | None = None
    created_at: str
    updated_at: str
    expires_at: str | None = None


class FactBrief(Row):
    """A fact in a list; `cut` says that its value is longer than what is shown."""

    namespace: str
    key: str
    value: str
    cut: Flag = None
    updated_at: str
    expires_at: str | None = None


def combine(old: Object, new: Object, mode: StoreMode) -> Object:
    """Return what an item holds after `new` was stored over `old`."""
    match mode:
        case "replace":
            return new
        case "merge":
            return {**old, **new}
        case "append":
            return {**old, **{name: _append(old.get(name), value) for name, value in new.items()}}


def _append(old: Any, new: Any) -> Any:
    if isinstance(old, list) and isinstance(new, list):
        return [*cast(list[Any], old), *cast(list[Any], new)]
    if isinstance(old, dict) and isinstance(new, dict):
        return combine(cast(Object, old), cast(Object, new), "append")
    return new
