"""Seeds the catalog and the content that ships with the server when their hash changes."""

from collections.abc import Sequence
from typing import Any

from server.db.library.definitions import COLUMNS, TABLES, stored
from server.db.storage.connection import Database, Reader, Transaction
from server.models.base import encode
from server.models.library import AgentDefinition, ContentFile, InstructionFile, LibraryKind, SkillDefinition


async def hashes(db: Reader) -> dict[str, str]:
    """Return the hash of what was last seeded, by name."""
    return {row["name"]: row["content_hash"] for row in await db.all("SELECT name, content_hash FROM seeds")}


async def seed_catalog(db: Database, entries: Sequence[dict[str, Any]], content_hash: str) -> None:
    """Replace the three catalog tables, so that what no longer exists disappears."""
    async with db.transaction() as tx:
        await tx.run("DELETE FROM tools")
        await tx.many(
            "INSERT INTO tools (name, title, description, input_schema) VALUES (:name, :title, :description, :schema)",
            [{**e, "schema": encode(e["inputSchema"])} for e in entries],
        )
        await tx.many(
            """
            INSERT INTO tool_actions (tool, action, summary, help, read_only, destructive)
            VALUES (:tool, :name, :summary, :help, :readOnly, :destructive)
            """,
            [{**action, "tool": e["name"]} for e in entries for action in e["actions"]],
        )
        await tx.many(
            """
            INSERT INTO tool_action_params (tool, action, name, order_index, required, schema, description)
            VALUES (:tool, :action, :name, :index, :required, :schema, :description)
            """,
            [row for e in entries for action in e["actions"] for row in _params(e["name"], action)],
        )
        await _remember(tx, "catalog", content_hash)


def _params(tool: str, action: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "tool": tool,
            "action": action["name"],
            "name": param["name"],
            "index": index,
            "required": bool(param.get("required")),
            "schema": encode(param),
            "description": param.get("description"),
        }
        for index, param in enumerate(action["params"])
    ]


async def seed_content(
    db: Database,
    agents: Sequence[AgentDefinition],
    instructions: Sequence[InstructionFile],
    skills: Sequence[SkillDefinition],
    content_hash: str,
) -> None:
    """Make the shipped rows equal the files. A row that a user made or edited stays, and knows what ships instead."""
    async with db.transaction() as tx:
        await _replace(tx, "agent", agents)
        await _replace(tx, "instruction", instructions)
        await _replace(tx, "skill", skills)
        await _remember(tx, "content", content_hash)


async def _replace(tx: Transaction, kind: LibraryKind, files: Sequence[ContentFile]) -> None:
    table, columns = TABLES[kind], (*COLUMNS[kind], "content_hash")
    hashes = {"hashes": encode({file.name: file.content_hash for file in files})}
    await tx.run(
        f"DELETE FROM {table} WHERE origin = 'shipped' AND name NOT IN (SELECT key FROM json_each(:hashes))", hashes
    )
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "name")
    await tx.many(
        f"""
        INSERT INTO {table} ({", ".join(columns)}, origin, created_at, updated_at)
        VALUES ({", ".join(":" + column for column in columns)}, 'shipped', :now, :now)
        ON CONFLICT (name) DO UPDATE SET {changes}, updated_at = excluded.updated_at, version = {table}.version + 1
        WHERE {table}.origin = 'shipped' AND {table}.content_hash <> excluded.content_hash
        """,
        [{**stored(file.model_dump(include=set(columns))), "now": tx.now()} for file in files],
    )
    await tx.run(
        f"UPDATE {table} SET shipped_hash = (SELECT value FROM json_each(:hashes) WHERE key = {table}.name)", hashes
    )


async def _remember(tx: Transaction, name: str, content_hash: str) -> None:
    await tx.run(
        """
        INSERT INTO seeds (name, content_hash, updated_at) VALUES (:name, :content_hash, :now)
        ON CONFLICT (name) DO UPDATE SET content_hash = excluded.content_hash, updated_at = excluded.updated_at
        """,
        {"name": name, "content_hash": content_hash, "now": tx.now()},
    )
