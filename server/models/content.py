"""Agent definitions, instruction files and skills, as they ship with the server."""

from server.models.base import Model


class ContentFile(Model):
    """One Markdown file: `body` is what follows the front matter, `content_hash` the SHA-256 of the whole file."""

    name: str
    description: str
    body: str
    content_hash: str


class AgentDefinition(ContentFile):
    """A role: `metadata` holds its boundaries (`can_implement`, `handoff_to`, ...) and whatever else its file says."""

    metadata: dict[str, str | list[str] | bool]


class InstructionFile(ContentFile):
    """Guidance for every file that one of the `applies_to` globs covers."""

    applies_to: list[str]


class SkillDefinition(ContentFile):
    """A way of working, found by its words, languages and frameworks."""

    category: str
    tags: list[str]
    languages: list[str]
    frameworks: list[str]
