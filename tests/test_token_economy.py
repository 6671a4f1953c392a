"""What agents read is short: the answers that the bench measures stay under its bars."""

import bench_tokens
import pytest
from bench_figures import Figure


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Figure]:
    return list(bench_tokens.figures(tmp_path_factory.mktemp("tokens"), plans=3))


def test_every_answer_stays_under_its_bar(answers: list[Figure]) -> None:
    assert len(answers) > 15
    assert [figure for figure in answers if figure.met is False] == []


def test_what_next_and_a_briefing_promise_is_among_them(answers: list[Figure]) -> None:
    bars = {figure.bar for figure in answers if figure.name.startswith("next")}
    briefings = {figure.bar for figure in answers if figure.name.startswith("briefing")}

    assert (bars, briefings) == ({400}, {8_000})
