"""Seeds the catalog and the content that ships with the server when their hash changes."""

from collections.abc import Sequence
from typing import Any

from server.db.storage.connection import Database, Reader, Transaction
from server.models.base import encode
from server.models.library import AgentDefinition, InstructionFile, SkillDefinition


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
    """Make the shipped rows equal the files. A row that a user made or edited stays as it is."""
    async with db.transaction() as tx:
        await _replace(tx, "agent_definitions", AGENT_COLUMNS, [_agent(a) for a in agents])
        await _replace(tx, "instruction_files", INSTRUCTION_COLUMNS, [_instruction(i) for i in instructions])
        await _replace(tx, "skill_definitions", SKILL_COLUMNS, [_skill(s) for s in skills])
        await _remember(tx, "content", content_hash)


COMMON_COLUMNS = ("name", "description", "body", "content_hash")
AGENT_COLUMNS = (*COMMON_COLUMNS, "metadata")
INSTRUCTION_COLUMNS = (*COMMON_COLUMNS, "applies_to")
SKILL_COLUMNS = (*COMMON_COLUMNS, "category", "tags", "languages", "frameworks")


def _agent(agent: AgentDefinition) -> dict[str, Any]:
    return {**agent.model_dump(include=set(COMMON_COLUMNS)), "metadata": encode(agent.metadata)}


def _instruction(file: InstructionFile) -> dict[str, Any]:
    return {**file.model_dump(include=set(COMMON_COLUMNS)), "applies_to": encode(file.applies_to)}


def _skill(skill: SkillDefinition) -> dict[str, Any]:
    lists = {name: encode(getattr(skill, name)) for name in ("tags", "languages", "frameworks")}
    return {**skill.model_dump(include={*COMMON_COLUMNS, "category"}), **lists}


async def _replace(tx: Transaction, table: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    names = encode([row["name"] for row in rows])
    await tx.run(
        f"DELETE FROM {table} WHERE origin = 'shipped' AND name NOT IN (SELECT value FROM json_each(:names))",
        {"names": names},
    )
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "name")
    await tx.many(
        f"""
        INSERT INTO {table} ({", ".join(columns)}, origin, created_at, updated_at)
        VALUES ({", ".join(":" + column for column in columns)}, 'shipped', :now, :now)
        ON CONFLICT (name) DO UPDATE SET {changes}, updated_at = excluded.updated_at
        WHERE {table}.origin = 'shipped' AND {table}.content_hash <> excluded.content_hash
        """,
        [{**row, "now": tx.now()} for row in rows],
    )


async def _remember(tx: Transaction, name: str, content_hash: str) -> None:
    await tx.run(
        """
        INSERT INTO seeds (name, content_hash, updated_at) VALUES (:name, :content_hash, :now)
        ON CONFLICT (name) DO UPDATE SET content_hash = excluded.content_hash, updated_at = excluded.updated_at
        """,
        {"name": name, "content_hash": content_hash, "now": tx.now()},
    )
