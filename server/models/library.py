"""Agent definitions, instruction files and skills, as they ship with the server."""

from typing import cast

from server.models.base import JsonObject, Model, Row


class ContentFile(Model):
    """One Markdown file: `body` is what follows the front matter, `content_hash` the SHA-256 of the whole file."""

    name: str
    description: str
    body: str
    content_hash: str


class AgentDefinition(ContentFile):
    """A role: `metadata` holds its boundaries (`can_implement`, `handoff_to`, ...) and whatever else its file says."""

    metadata: dict[str, str | list[str] | bool]


class StoredAgent(Row):
    """A role as the store has it, shipped or made by a user."""

    name: str
    description: str
    body: str
    metadata: JsonObject

    def texts(self, key: str) -> list[str]:
        """Return a list in the metadata; a single value is a list of one."""
        found: object = self.metadata.get(key) or []
        return [str(each) for each in (cast(list[object], found) if isinstance(found, list) else [found])]

    @property
    def starts_agents(self) -> bool:
        return bool(self.metadata.get("is_hub") or self.metadata.get("can_spawn_subagents"))


class InstructionFile(ContentFile):
    """Guidance for every file that one of the `applies_to` globs covers."""

    applies_to: list[str]


class SkillDefinition(ContentFile):
    """A way of working, found by its words, languages and frameworks."""

    category: str
    tags: list[str]
    languages: list[str]
    frameworks: list[str]
