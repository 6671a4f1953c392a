"""Table `agent_definitions`: the roles that agents play."""

import difflib

from server.db.search.suggestions import MOST
from server.db.storage.connection import Reader
from server.errors import NotFound
from server.models.library import StoredAgent
from server.text.names import folded


async def find(db: Reader, name: str) -> StoredAgent | None:
    """Return the definition of a role by its name, in capitals or not."""
    row = await db.one(
        """
        SELECT * FROM agent_definitions WHERE folded(name) = folded(:name) ORDER BY name <> :name, name LIMIT 1
        """,
        {"name": name},
    )
    return StoredAgent.of(row) if row else None


async def missing(db: Reader, name: str) -> NotFound:
    """Return the error for a role that has no definition, with up to five near ones."""
    rows = await db.all("SELECT name, description FROM agent_definitions ORDER BY name")
    told = {folded(row["name"]): row for row in rows}
    near = difflib.get_close_matches(folded(name), list(told), MOST, 0.5)
    return NotFound(
        f"There is no agent definition {name!r}. Defined are: {', '.join(row['name'] for row in rows) or 'none'}.",
        near=[{"agent_name": told[key]["name"], "description": told[key]["description"]} for key in near],
    ).about("agent definition")
