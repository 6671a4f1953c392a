"""Table `settings`: what everybody who shares the file goes by."""

from server.db.storage.connection import Reader, Transaction
from server.models.approvals import Word
from server.models.settings import DEFINED, SharedSetting


async def get(db: Reader, key: str) -> str:
    """Return a setting, or its default."""
    return await db.value("SELECT value FROM settings WHERE key = :key", {"key": key}) or DEFINED[key].default


async def amount(db: Reader, key: str) -> int | None:
    """Return a setting that is a number, bytes or seconds; None for a duration that never ends."""
    return DEFINED[key].amount(await get(db, key))


def amount_of(key: str, value: str) -> int | None:
    """Return what a value of a setting amounts to."""
    return DEFINED[key].amount(value)


async def stored(db: Reader) -> dict[str, SharedSetting]:
    """Return the settings that somebody set, by name."""
    rows = await db.all("SELECT * FROM settings ORDER BY key")
    return {row["key"]: SharedSetting.of(row) for row in rows}


async def put(tx: Transaction, key: str, value: str, word: Word) -> None:
    await tx.run(
        """
        INSERT INTO settings (key, value, changed_by, via, client, created_at, updated_at)
        VALUES (:key, :value, :by, :via, :client, :now, :now)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, via = excluded.via,
            client = excluded.client, updated_at = excluded.updated_at
        """,
        {"key": key, "value": value, "by": word.by, "via": word.via, "client": word.client, "now": tx.now()},
    )
