"""The tables of the ledger, and what of them hangs on one thing: it goes with it, and comes back with it."""

# All of a plan name it, those of its phases and steps too.
OF_PLANS = (
    "decisions", "tool_calls", "runs", "quality_gates", "artifacts", "metric_points", "field_changes", "task_progress",
    "cache_entries", "plan_terms", "budgets",
)  # fmt: skip
OF_STEPS = ("decisions", "tool_calls", "runs", "quality_gates")
# Those that name a parent of whatever kind, with their keys.
ON_PARENT = {
    "artifacts": "artifact_id",
    "metric_points": "point_id",
    "task_progress": "progress_id",
    "cache_entries": "entry_id",
}


def of(kind: str, ids: str) -> dict[str, str]:
    """Return what tells the rows that hang on things of a kind, by table; `ids` is SQL for what their ids are in."""
    own = {"step": OF_STEPS, "phase": ("quality_gates",)}.get(kind, ())
    parent = f"parent_type = '{kind}' AND parent_id IN {ids}"
    changes = f"""
        (entity_type = '{kind}' AND entity_id IN {ids})
        OR (entity_type = 'artifact' AND entity_id IN (SELECT artifact_id FROM artifacts WHERE {parent}))
    """
    return {
        **dict.fromkeys(own, f"{kind}_id IN {ids}"),
        **dict.fromkeys(ON_PARENT, parent),
        "field_changes": changes,
    }
