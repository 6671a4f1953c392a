"""Errors that name calls of tools name what is typed in a terminal there."""

from pathlib import Path

import pytest

from server.cli.wording import in_terminal
from server.tools.wording import LISTERS, WAYS
from tests.conftest import Agent
from tests.e2e.terminals import piped


@pytest.mark.parametrize("told", [*LISTERS.values(), *WAYS.values()])
def test_no_call_of_a_tool_is_left(told: str) -> None:
    said = in_terminal(told)

    assert "action=" not in said
    assert "project-memory call memory_" in said
    assert "['" not in said  # which a shell would take for a pattern


def test_a_call_of_no_named_tool_is_of_the_one_that_the_message_is_about() -> None:
    said = in_terminal("memory_plan get: 'plan_id' is missing. action='help' topic='get' shows an example.")

    assert said.endswith("`project-memory call memory_plan get --help` shows an example.")


def test_a_list_is_given_value_by_value() -> None:
    said = in_terminal(
        "memory_workspace action='events' types=['approval_approved', 'approval_rejected'] wait_seconds=5"
    )

    assert said.endswith("call memory_workspace events types=approval_approved types=approval_rejected wait_seconds=5")


async def test_the_error_of_a_command_says_what_to_type(agent: Agent, workspace_id: str, tmp_path: Path) -> None:
    assert agent.settings
    gone = "plan_1rqewqexykb7"
    for command, way in (
        (("export", str(tmp_path / "out"), "--plan", gone), "project-memory call memory_plan list"),
        (("show", gone), "`search` finds"),
    ):
        done = piped(agent.settings.data_root, *command)
        assert done.returncode == 1
        assert way in done.stderr
