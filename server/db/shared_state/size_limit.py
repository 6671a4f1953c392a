"""Whether the database has grown larger than the setting `warn_size` allows."""

from server.db.shared_state import shared_settings
from server.db.storage.connection import Database


async def warnings(db: Database) -> list[str]:
    """Return what people and agents are told of the size; nothing as long as it is small enough."""
    size, most = db.path.stat().st_size + db.wal_size(), await shared_settings.get(db, "warn_size")
    if size <= (shared_settings.amount_of("warn_size", most) or size):
        return []
    told = f"The database has {size} bytes, more than the setting warn_size ({most})."
    return [f"{told} A person can look what may go: `project-memory trim --dry-run`, `project-memory compact`."]
