"""Table `terminal_allowlist`: which argument vectors run without a human being asked, and who said so."""

from collections.abc import Iterable

from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.terminal import AllowedRule
from server.text.command_rules import CommandRule


async def of_workspace(db: Reader, workspace_id: str) -> list[AllowedRule]:
    """Return the rules of a workspace, in order."""
    rows = await db.all(
        """
        SELECT * FROM terminal_allowlist WHERE workspace_id = :workspace_id ORDER BY program, subcommand, flags
        """,
        {"workspace_id": workspace_id},
    )
    return [AllowedRule.of(row) for row in rows]


def rule_of(row: AllowedRule) -> CommandRule:
    return CommandRule(row.program, row.subcommand, tuple(row.flags))


async def add(tx: Transaction, workspace_id: str, rules: Iterable[CommandRule], *, allowed_by: str, via: str) -> None:
    for rule in rules:
        await tx.run(
            """
            INSERT INTO terminal_allowlist (rule_id, workspace_id, program, subcommand, flags, allowed_by, via,
                created_at)
            VALUES (:rule_id, :workspace_id, :program, :subcommand, :flags, :allowed_by, :via, :now)
            ON CONFLICT DO NOTHING
            """,
            {
                "rule_id": new_id("rule"),
                "workspace_id": workspace_id,
                "program": rule.program,
                "subcommand": rule.subcommand,
                "flags": encode(list(rule.flags)),
                "allowed_by": allowed_by,
                "via": via,
                "now": tx.now(),
            },
        )


async def remove(tx: Transaction, workspace_id: str, rules: Iterable[CommandRule]) -> None:
    keys = [[rule.program, rule.subcommand, encode(list(rule.flags))] for rule in rules]
    await tx.run(
        """
        DELETE FROM terminal_allowlist WHERE workspace_id = :workspace_id AND (program, subcommand, flags) IN (
            SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:keys))
        """,
        {"workspace_id": workspace_id, "keys": encode(keys)},
    )
