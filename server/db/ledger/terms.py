"""Table `plan_terms`: the words that plans are about."""

from collections.abc import Sequence

from server.db.storage.connection import Reader
from server.db.storage.name_functions import caseless
from server.models.ledger import PlanTerm, PlanWithTerm


def _alike(term: str) -> str:
    """Return the condition that a term is spelled like that in `:term`, large or small; an index helps with ASCII."""
    if caseless([term]) == "lower":
        return "lower(t.term) = lower(:term)"
    return "folded(t.term) = folded(:term)"


async def find(db: Reader, plan_id: str, kind: str, term: str) -> PlanTerm | None:
    row = await db.one(
        f"SELECT t.* FROM plan_terms t WHERE t.plan_id = :plan_id AND t.kind = :kind AND {_alike(term)} LIMIT 1",
        {"plan_id": plan_id, "kind": kind, "term": term},
    )
    return PlanTerm.of(row) if row else None


async def plans_with(
    db: Reader, workspace_id: str, term: str, kind: str | None, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[PlanWithTerm], int]:
    """Return the plans that are about a term, those changed last first, and how many there are."""
    updated_at, term_id = after or (None, None)
    params = {"workspace_id": workspace_id, "term": term, "kind": kind}
    source = " UNION ALL ".join(
        f"""
        SELECT l.plan_id, l.title, l.status, l.updated_at, t.term_id, t.kind, t.term, {archived} AS archived
        FROM plan_terms{suffix} t JOIN plans{suffix} l ON l.plan_id = t.plan_id
        WHERE t.workspace_id = :workspace_id AND {_alike(term)} AND (:kind IS NULL OR t.kind = :kind)
        """
        for suffix, archived in (("", 0), ("_archive", 1))
    )
    rows, [(total,)] = await db.batch(
        (
            f"""
            SELECT * FROM ({source}) AS found
            WHERE :updated_at IS NULL OR (updated_at, term_id) < (:updated_at, :term_id)
            ORDER BY updated_at DESC, term_id DESC LIMIT :limit
            """,
            {**params, "updated_at": updated_at, "term_id": term_id, "limit": limit},
        ),
        (f"SELECT count(*) FROM ({source}) AS found", params),
    )
    return [PlanWithTerm.of(row) for row in rows], total
