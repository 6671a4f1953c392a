"""`config`: settings that all servers share, with numbers, sizes and durations among them."""

import sys

import pytest

from server.__main__ import main
from server.errors import InvalidArguments
from server.models.settings import DEFINED, Definition
from server.settings import Settings

SIZE = Definition("a.size", "2GB", "", kind="size", least=1_000_000)
SPAN = Definition("a.span", "30d", "", kind="duration", least=3600)
NUMBER = Definition("a.number", "7", "", kind="number", least=1, most=1000)


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["project-memory", "config", "--data-root", str(settings.data_root), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("one", DEFINED.values(), ids=lambda one: one.key)
def test_a_default_is_a_value(one: Definition) -> None:
    assert one.checked(one.default) == one.default
    assert not one.loosens(one.default, one.default)


@pytest.mark.parametrize(
    ("one", "said", "kept", "amount"),
    [
        (SIZE, "500 mb", "500MB", 500_000_000),
        (SIZE, "1000000", "1000000", 1_000_000),
        (SIZE, " 2Gb ", "2GB", 2_000_000_000),
        (SPAN, "012H", "12h", 43_200),
        (SPAN, "8w", "8w", 8 * 7 * 86_400),
        (SPAN, "2y", "2y", 730 * 86_400),
        (SPAN, "Never", "never", None),
        (NUMBER, "1000", "1000", 1000),
    ],
)
def test_an_amount_is_kept_as_it_reads_best(one: Definition, said: str, kept: str, amount: int | None) -> None:
    assert one.checked(said) == kept
    assert one.checked(kept) == kept
    assert one.amount(kept) == amount


@pytest.mark.parametrize(
    ("one", "said", "told"),
    [
        (SIZE, "1KB", "a.size takes a size, such as 500MB or 2GB; at least 1MB"),
        (SIZE, "-1", "such as 500MB"),
        (SIZE, "30d", "such as 500MB"),
        (SPAN, "30", "a.span takes a duration, such as 12h, 30d, 8w, 2y or never; at least 1h"),
        (SPAN, "0d", "at least 1h"),
        (NUMBER, "0", "a.number takes a number, such as 7; at least 1 and at most 1000"),
        (NUMBER, "7.5", "such as 7"),
        (NUMBER, "never", "such as 7"),
        (NUMBER, "\u0667", "such as 7"),
        (DEFINED["gates"], "nobody", "gates takes one of: human, relayed"),
    ],
)
def test_what_is_no_value_is_refused_with_what_would_be(one: Definition, said: str, told: str) -> None:
    with pytest.raises(InvalidArguments, match=told):
        one.checked(said)


@pytest.mark.parametrize(
    ("one", "old", "new", "loosens"),
    [
        (SIZE, "1GB", "999MB", True),
        (SIZE, "1GB", "1000MB", False),
        (SPAN, "never", "2y", True),
        (SPAN, "2y", "never", False),
        (NUMBER, "7", "8", False),
        (DEFINED["gates"], "human", "relayed", True),
        (DEFINED["backups.automatic"], "off", "on", False),
    ],
)
def test_to_keep_less_loosens_and_to_keep_more_does_not(one: Definition, old: str, new: str, *, loosens: bool) -> None:
    assert one.loosens(old, new) is loosens


def test_a_number_is_set_and_read_and_to_lower_it_takes_a_person(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, monkeypatch, "set", "backups.max_bytes", "20 gb") == 0
    assert run(settings, monkeypatch, "get", "backups.max_bytes") == 0
    assert capsys.readouterr().out == "backups.max_bytes is 20GB.\n20GB\n"
    assert run(settings, monkeypatch, "set", "backups.max_bytes", "1GB") == 1
    assert run(settings, monkeypatch, "set", "backups.max_bytes", "much") == 2
    told = capsys.readouterr()
    assert "Only a person may loosen backups.max_bytes" in told.err
    assert "such as 500MB or 2GB; at least 1MB" in told.err
    assert run(settings, monkeypatch, "list") == 0
    assert "backups.max_bytes\t20GB\tcli (unknown)\t" in capsys.readouterr().out
