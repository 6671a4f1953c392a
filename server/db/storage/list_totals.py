"""How many rows a list has, as far as it is worth counting: a list that never ends is not counted to its end."""

COUNTED = 1_000


def counting(source: str) -> str:
    """Return the query for the number of rows that `source` (FROM and WHERE) has, up to one more than COUNTED."""
    return f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {COUNTED + 1})"
