"""Agent definitions, instruction files and skills: as they ship with the server, and as the store has them."""

from typing import Any, Literal, cast

from server.models.base import Flag, JsonObject, Model, Row, Strings
from server.text.definitions import text_of

LibraryKind = Literal["agent", "instruction", "skill"]
DefinitionSource = Literal["shipped", "user", "workspace", "imported"]


class ContentFile(Model):
    """One Markdown file: `body` is what follows the front matter, `content_hash` the SHA-256 of the whole file.

    `metadata` is what its front matter says besides.
    """

    name: str
    description: str
    body: str
    content_hash: str
    metadata: dict[str, Any]


class AgentDefinition(ContentFile):
    """A role: its metadata holds its boundaries (`can_implement`, `handoff_to`, ...)."""


class InstructionFile(ContentFile):
    """Guidance for every file that one of the `applies_to` globs covers."""

    applies_to: list[str]


class SkillDefinition(ContentFile):
    """A way of working, found by its words, languages and frameworks."""

    category: str | None
    tags: list[str]
    languages: list[str]
    frameworks: list[str]


class LibraryItem(Row):
    """An agent, instruction or skill of the store. What only another kind has is empty."""

    kind: LibraryKind
    name: str
    description: str
    body: str
    metadata: JsonObject
    applies_to: Strings
    category: str | None = None
    tags: Strings
    languages: Strings
    frameworks: Strings
    origin: Literal["shipped", "user"]
    workspace_id: str | None = None
    imported_from: str | None = None
    content_hash: str
    shipped_hash: str | None = None
    based_on: str | None = None
    version: int
    created_at: str
    updated_at: str

    @property
    def source(self) -> DefinitionSource:
        if self.origin == "shipped":
            return "shipped"
        return "imported" if self.imported_from else "workspace" if self.workspace_id else "user"

    @property
    def edited(self) -> bool:
        """Whether something ships under its name, and this is not it."""
        return self.origin != "shipped" and self.shipped_hash is not None

    @property
    def newer_shipped(self) -> bool:
        return self.edited and self.shipped_hash != self.based_on

    @property
    def file(self) -> str:
        """Its file, as it would be in a folder of definitions."""
        return text_of(self.kind, self.__dict__)

    @property
    def starts_agents(self) -> bool:
        return bool(self.metadata.get("is_hub") or self.metadata.get("can_spawn_subagents"))

    def texts(self, key: str) -> list[str]:
        """Return a list in the metadata; a single value is a list of one."""
        found: object = self.metadata.get(key) or []
        return [str(each) for each in (cast(list[object], found) if isinstance(found, list) else [found])]


class DefinitionBrief(Model):
    """A definition without its text."""

    name: str
    kind: LibraryKind
    description: str
    source: DefinitionSource
    category: str | None = None
    tags: list[str]
    languages: list[str]
    frameworks: list[str]
    applies_to: list[str]
    edited: Flag = None
    newer_shipped: Flag = None
    version: int
    updated_at: str
    why: list[str] | None = None
    notes: str | None = None

    @classmethod
    def about(cls, found: LibraryItem, **more: Any) -> "DefinitionBrief":
        told = {name: getattr(found, name) for name in cls.model_fields if name not in ("why", "notes")}
        return cls.model_validate({**told, **more})


class DefinitionFull(DefinitionBrief):
    """A definition with the whole text of its file."""

    content: str
    imported_from: str | None = None
    assigned: Flag = None


class DeployedFile(Row):
    """A file, or a block of one, that was written for a client. `source` is the hash of the definition."""

    workspace_id: str
    client: str
    path: str
    block: str
    kind: LibraryKind
    name: str
    hash: str
    previous_hash: str | None = None
    source: str

    @property
    def place(self) -> tuple[str, str]:
        return self.path, self.block

    @property
    def hashes(self) -> tuple[str | None, ...]:
        """What may be there if nobody changed it: a server that died may have left what was there before."""
        return self.hash, self.previous_hash
