"""Research files: notes in Markdown that agents append to."""

import re
import unicodedata
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from server.models.base import Flag, Row
from server.models.context import ParentType
from server.models.text import Line

NAME_BYTES = 200  # a file system takes 255, and an export may add to the name
STRANGE = re.compile(r"[^\w.-]+")


def file_name(name: str) -> str:
    """Return a name without folders that every file system takes; letters of all scripts stay."""
    return STRANGE.sub("-", unicodedata.normalize("NFC", name)).lstrip(".-")


def _known_as(name: str) -> str:
    clean = file_name(name)
    if not clean.strip(".-_"):
        raise ValueError("must hold a letter or a digit")
    if len(clean.encode("utf-8", "replace")) > NAME_BYTES:
        raise ValueError(f"must have at most {NAME_BYTES} bytes")
    return name


Filename = Annotated[Line, AfterValidator(_known_as)]


class ResearchDocument(Row):
    """A row of `research_documents` or of its archive; `content` is all that was ever appended, until it is shown."""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"content"})

    filename: str
    document_id: str
    workspace_id: str
    parent_type: ParentType
    parent_id: str
    version: int
    created_by: str | None = None
    created_at: str
    updated_at: str
    archived: Flag = None
    content: str


class ResearchBrief(Row):
    """A research file in a list; `bytes` count the full text, and `condensed` says that it is long enough for that."""

    document_id: str
    filename: str
    parent_type: ParentType
    parent_id: str
    bytes: int
    condensed: Flag = None
    version: int
    created_by: str | None = None
    updated_at: str
