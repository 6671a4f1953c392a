"""Which columns of a row stay as they are here because a gate holds them."""

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
DONE = {"status", "completed_at", "completed_by"}


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ({}, {"status": "done"}, set[str]()),
        ({"requires_confirmation": 1}, {"status": "active"}, {"requires_confirmation"}),
        ({"requires_confirmation": 1}, {"status": "done"}, {"requires_confirmation"} | DONE),
        ({"requires_confirmation": 1, "status": "done"}, {"status": "done"}, {"requires_confirmation"}),
        ({"requires_confirmation": 1}, {"requires_confirmation": 1, "status": "done"}, set[str]()),
        ({"type": "critical"}, {"status": "active"}, {"type"} | DONE),
        ({"type": "confirmation"}, {"status": "active"}, {"type"}),
        ({"required_gates": '["a"]'}, {"required_gates": '["a", "b"]', "status": "done"}, set[str]()),
        ({"required_gates": '["a"]'}, {"required_gates": '["b"]'}, {"required_gates"}),
    ],
)
def test_a_step_keeps_the_gate_that_the_source_does_not_know(
    here: dict[str, Any], there: dict[str, Any], expected: set[str]
) -> None:
    assert held("steps", STEP | there, STEP | here) == expected


def test_plans_and_phases_keep_theirs() -> None:
    assert held("plans", {"phase_gates": 0}, {"phase_gates": 1}) == {"phase_gates"}
    assert held("plans", {"phase_gates": 1}, {"phase_gates": 0}) == set()
    phase = {"approval_required": 0, "required_gates": "[]"}
    assert held("phases", phase, {"approval_required": 1, "required_gates": '["a"]'}) == {*phase}
    assert held("knowledge", {"slug": "a"}, {"slug": "b"}) == set()
