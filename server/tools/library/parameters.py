"""memory_library: the parameters that its actions share."""

from typing import Annotated

from pydantic import Field

from server.db.library import definitions
from server.db.storage.connection import Reader
from server.models.library import LibraryItem, LibraryKind
from server.models.text import Line, Name
from server.tools.common import Call

Kind = Annotated[LibraryKind, Field(description="agent|instruction|skill")]
DefinitionName = Name
Words = Annotated[Line, Field(description="words to look for")]


async def named(call: Call, db: Reader, kind: LibraryKind, name: str) -> tuple[LibraryItem, str | None]:
    """Return the definition that a call names, and the workspace it is about, if it is about one."""
    home = await call.some_workspace_id(db)
    return await definitions.require(db, kind, name, home), home
