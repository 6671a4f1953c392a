"""Table `file_reservations`: who has said until when that it works on which files."""

from collections.abc import Iterable, Sequence

from server.db.audit import events
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.events import Event
from server.models.reservations import Reservation


async def paths_of_others(db: Reader, workspace_id: str, holder: str) -> list[str]:
    """Return the paths in a workspace that somebody but `holder` holds, each once."""
    rows = await db.all(
        """
        SELECT DISTINCT path FROM file_reservations
        WHERE workspace_id = :workspace_id AND lease_expires_at > :now AND holder <> :holder
        """,
        {"workspace_id": workspace_id, "now": db.now(), "holder": holder},
    )
    return [row["path"] for row in rows]


async def held(db: Reader, holder: str, workspace_id: str) -> list[str]:
    """Return the paths in a workspace that `holder` holds."""
    rows = await db.all(
        """
        SELECT path FROM file_reservations
        WHERE holder = :holder AND workspace_id = :workspace_id AND lease_expires_at > :now
        """,
        {"holder": holder, "workspace_id": workspace_id, "now": db.now()},
    )
    return [row["path"] for row in rows]


async def live(
    db: Reader, workspace_id: str, *, plan_id: str | None = None, paths: Sequence[str] | None = None
) -> list[Reservation]:
    """Return the reservations of a workspace whose lease has not run out: those for a plan, or those of `paths`."""
    rows = await db.all(
        """
        SELECT r.*, r.holder AS held_by, s.agent FROM file_reservations r
            LEFT JOIN sessions s ON s.session_id = r.session_id
        WHERE r.workspace_id = :workspace_id AND r.lease_expires_at > :now
          AND (:plan_id IS NULL OR r.plan_id = :plan_id)
          AND (:paths IS NULL OR r.path IN (SELECT value FROM json_each(:paths)))
        """,
        {
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "paths": None if paths is None else encode(list(paths)),
            "now": db.now(),
        },
    )
    found = [Reservation.of(row) for row in rows]
    return sorted(found, key=lambda reservation: (reservation.path, reservation.held_by))


async def remove_expired(tx: Transaction, workspace_id: str) -> None:
    """Forget the reservations of a workspace whose lease ran out."""
    await tx.run(
        "DELETE FROM file_reservations WHERE workspace_id = :workspace_id AND lease_expires_at <= :now",
        {"workspace_id": workspace_id, "now": tx.now()},
    )


async def grant(
    tx: Transaction,
    paths: Sequence[str],
    *,
    held: Iterable[str],
    workspace_id: str,
    holder: str,
    plan_id: str | None,
    exclusive: bool,
    reason: str | None,
    until: str,
) -> None:
    """Reserve paths for `holder`, or renew those of them that it has `held`. The caller has checked for clashes."""
    told = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "session_id": tx.origin.session_id,
        "holder": holder,
        "exclusive": int(exclusive),
        "reason": reason,
        "until": until,
        "now": tx.now(),
    }
    known = set(held)
    await tx.run(
        """
        UPDATE file_reservations SET exclusive = :exclusive, lease_expires_at = :until, updated_at = :now,
            plan_id = coalesce(:plan_id, plan_id), reason = coalesce(:reason, reason)
        WHERE holder = :holder AND workspace_id = :workspace_id AND path IN (SELECT value FROM json_each(:paths))
        """,
        {**told, "paths": encode([path for path in paths if path in known])},
    )
    await tx.many(
        """
        INSERT INTO file_reservations (reservation_id, workspace_id, plan_id, session_id, holder, path, exclusive,
            reason, lease_expires_at, created_at, updated_at)
        VALUES (:reservation_id, :workspace_id, :plan_id, :session_id, :holder, :path, :exclusive,
            :reason, :until, :now, :now)
        """,
        [{**told, "reservation_id": new_id("resv"), "path": path} for path in paths if path not in known],
    )
    data = {"holder": holder, "paths": list(paths), "exclusive": exclusive, "lease_expires_at": until}
    events.record(tx, Event("files_reserved", "workspace", workspace_id, workspace_id, plan_id=plan_id, data=data))


async def release(
    tx: Transaction, holder: str, *, workspace_id: str | None = None, paths: Sequence[str] | None = None
) -> list[str]:
    """Give up reservations of `holder`, of one workspace or all, these or all; return the paths it still held."""
    rows = await tx.all(
        """
        DELETE FROM file_reservations
        WHERE holder = :holder AND (:workspace_id IS NULL OR workspace_id = :workspace_id)
          AND (:paths IS NULL OR path IN (SELECT value FROM json_each(:paths)))
        RETURNING workspace_id, path, lease_expires_at
        """,
        {"holder": holder, "workspace_id": workspace_id, "paths": None if paths is None else encode(list(paths))},
    )
    found = sorted((row["workspace_id"], row["path"]) for row in rows if row["lease_expires_at"] > tx.now())
    for place in dict.fromkeys(place for place, _ in found):
        data = {"holder": holder, "paths": [path for its, path in found if its == place]}
        events.record(tx, Event("files_released", "workspace", place, place, data=data))
    return [path for _, path in found]
