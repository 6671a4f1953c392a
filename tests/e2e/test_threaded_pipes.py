"""Where pipes cannot be polled, threads read and write: the same promises, by the same tests."""

from functools import partial

import pytest

from tests.e2e import conftest
from tests.e2e.test_bad_input import (
    test_a_line_of_sixteen_mebibytes_is_answered,
    test_a_line_that_is_no_json_is_a_parse_error,
    test_requests_that_share_an_id_are_all_answered,
)
from tests.e2e.test_end import (
    test_a_cancelled_call_does_not_hold_up_the_end,
    test_a_signal_leaves_nothing_unanswered,
    test_a_stream_of_changes_ends_with_its_result,
    test_a_whole_conversation_may_be_piped_in,
    test_calls_that_came_before_the_end_of_input_are_all_answered,
    test_who_waits_for_events_is_answered_when_the_input_ends,
)
from tests.e2e.test_eras import test_a_client_that_gave_up_its_probe_may_shake_hands
from tests.e2e.test_stdio import (
    test_an_input_that_ends_at_once_ends_the_server,
    test_calls_that_come_all_at_once_are_all_answered,
    test_nothing_but_protocol_is_on_stdout_even_when_everything_is_logged,
)

__all__ = [
    "test_a_cancelled_call_does_not_hold_up_the_end",
    "test_a_client_that_gave_up_its_probe_may_shake_hands",
    "test_a_line_of_sixteen_mebibytes_is_answered",
    "test_a_line_that_is_no_json_is_a_parse_error",
    "test_a_signal_leaves_nothing_unanswered",
    "test_a_stream_of_changes_ends_with_its_result",
    "test_a_whole_conversation_may_be_piped_in",
    "test_an_input_that_ends_at_once_ends_the_server",
    "test_calls_that_came_before_the_end_of_input_are_all_answered",
    "test_calls_that_come_all_at_once_are_all_answered",
    "test_nothing_but_protocol_is_on_stdout_even_when_everything_is_logged",
    "test_requests_that_share_an_id_are_all_answered",
    "test_who_waits_for_events_is_answered_when_the_input_ends",
]


@pytest.fixture
def start(start: conftest.Start) -> conftest.Start:
    """Start servers that use threads."""
    return partial(start, module="tests.e2e.threaded_server")
