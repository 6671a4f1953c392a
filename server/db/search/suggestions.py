"""Near matches: what a caller who named something that does not exist may have meant."""

import difflib
from typing import Any

from server.db.storage.connection import Reader
from server.errors import NotFound
from server.text.names import folded

LOOKED_AT = 100  # ids on either side of the wanted one, and of the newest ones
MOST = 5


async def not_found(
    db: Reader, kind: str, wanted: str, *, table: str, label: str, where: str = "1", **params: Any
) -> NotFound:
    """Return the error for an unknown `kind` id, with up to five near ones of `table`.

    `label` is the column that tells people what a row is, `where` a condition of ours over `params`.
    """
    key = f"{kind}_id"
    from_it, before_it = f"AND {key} >= :near_to ORDER BY {key}", f"AND {key} < :near_to ORDER BY {key} DESC"
    found = (
        f"SELECT * FROM (SELECT {key} AS key, {label} AS label FROM {table} WHERE ({where}) {order} LIMIT {LOOKED_AT})"
        for order in (from_it, before_it, f"ORDER BY {key} DESC")
    )
    rows = await db.all(" UNION ".join(found) + " ORDER BY key DESC", {**params, "near_to": wanted})
    labels = {row["key"]: row["label"] for row in rows}
    likely = [name for name in labels if name.startswith(wanted) or folded(labels[name]) == folded(wanted)]
    likely += difflib.get_close_matches(wanted, list(labels), MOST, 0.6)
    near = [{key: name, label: labels[name]} for name in list(dict.fromkeys(likely or labels))[:MOST]]
    error = NotFound(f"There is no {kind} {wanted[:80]!r}.", **({"near": near} if near else {}))
    return error.about(kind, **params)
