"""Which columns of a row stay as they are here because a gate holds them; which status, `test_gates_as_tools` asks."""

from typing import Any

import pytest

from server.db.interchange.import_gates import held

STEP: dict[str, Any] = {
    "requires_confirmation": 0,
    "requires_user_confirmation": 0,
    "type": "standard",
    "required_gates": "[]",
    "status": "pending",
}


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ({}, {"status": "done"}, set[str]()),
        ({"requires_confirmation": 1}, {"status": "active"}, {"requires_confirmation"}),
        ({"requires_user_confirmation": 1}, {"status": "active"}, {"requires_user_confirmation"}),
        ({"requires_confirmation": 1}, {"requires_confirmation": 1}, set[str]()),
        ({"type": "critical"}, {"type": "confirmation"}, {"type"}),
        ({"type": "confirmation"}, {}, {"type"}),
        ({"required_gates": '["a"]'}, {"required_gates": '["a", "b"]'}, set[str]()),
        ({"required_gates": '["a"]'}, {"required_gates": '["b"]'}, {"required_gates"}),
    ],
)
def test_a_step_keeps_the_gate_that_the_source_does_not_know(
    here: dict[str, Any], there: dict[str, Any], expected: set[str]
) -> None:
    assert held("steps", STEP | there, STEP | here) == expected


def test_a_status_that_a_gate_bars_stays_with_all_that_says_so() -> None:
    barred = frozenset({"done"})
    assert held("steps", STEP | {"status": "done"}, STEP, barred) == {"status", "completed_at", "completed_by"}
    assert held("steps", STEP | {"status": "blocked"}, STEP, barred) == set()
    plan = {"phase_gates": 0, "status": "active"}
    completed = frozenset({"completed"})
    assert held("plans", plan | {"status": "completed"}, plan, completed) == {"status", "completed_at"}


def test_plans_and_phases_keep_theirs() -> None:
    assert held("plans", {"phase_gates": 0}, {"phase_gates": 1}) == {"phase_gates"}
    assert held("plans", {"phase_gates": 1}, {"phase_gates": 0}) == set()
    phase = {"approval_required": 0, "required_gates": "[]"}
    assert held("phases", phase, {"approval_required": 1, "required_gates": '["a"]'}) == {*phase}
    assert held("knowledge", {"slug": "a"}, {"slug": "b"}) == set()
