"""Knowledge: what is true of a workspace, under a slug, with the versions it took the place of."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from server.models.base import Flag, Row, Strings
from server.models.text import Line

Category = Literal[
    "schema", "config", "limitation", "plan-summary", "reference", "convention", "difficulty-profile",
    "skill-recommendation",
]  # fmt: skip

SLUG_LENGTH = 100
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
CONTENT_BYTES = 256 * 1024
MOST = 100  # current entries of a workspace; who reads the list reads it whole


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError("must be lower-case letters, digits and '-' between them, such as 'retry-policy'")
    return text


Slug = Annotated[Line, Field(max_length=SLUG_LENGTH), AfterValidator(_slug)]


class Knowledge(Row):
    """A row of `knowledge`. `supersedes` and `superseded_by` are slugs, the columns hold ids."""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"content"})

    slug: str
    knowledge_id: str
    workspace_id: str
    title: str
    category: str
    tags: Strings
    supersedes: str | None = None
    superseded_by: str | None = None
    version: int
    created_by_agent: str | None = None
    created_by_plan: str | None = None
    created_at: str
    updated_at: str
    content: str


class KnowledgeBrief(Row):
    """An entry in a list: everything but its content, of which only the size in bytes is told."""

    slug: str
    knowledge_id: str
    title: str
    category: str
    tags: Strings
    bytes: int
    superseded_by: str | None = None
    version: int
    created_by_agent: str | None = None
    updated_at: str


class KnowledgeStored(Row):
    """What storing an entry did."""

    slug: str
    knowledge_id: str
    workspace_id: str
    version: int
    created: Flag = None
    updated: Flag = None
    supersedes: str | None = None
    bytes: int
