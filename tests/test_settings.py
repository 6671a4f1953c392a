"""Settings come from flags, then the environment, then defaults."""

import dataclasses
from pathlib import Path

import pytest

from server import calls, settings
from server.errors import InvalidArguments
from server.settings import SETTINGS, Settings
from server.tools import GROUPS, TOOLS

SAMPLES = {
    "data_root": ("/tmp/flag", "/tmp/environment"),
    "workspace": ("ws_flag", "ws_environment"),
    "tools": ("memory_plan", "memory_steps"),
    "read_only": ("1", "1"),
    "session_timeout": ("60", "7200"),
    "synchronous": ("normal", "full"),
    "log_level": ("debug", "error"),
    "mirror": ("/tmp/flag", "/tmp/environment"),
    "auto_import": ("1", "1"),
    "gates": ("human", "human"),
}


def typed(name: str, text: str) -> object:
    """What a sample becomes in Settings."""
    kinds: dict[str, object] = {"data_root": Path(text), "tools": (text,), "read_only": bool(text)}
    kinds |= {"mirror": Path(text), "auto_import": bool(text)}
    kinds |= {"session_timeout": int(text)} if name == "session_timeout" else {}
    return kinds.get(name, text)


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in dataclasses.fields(Settings)]
    assert SAMPLES.keys() == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_has_a_flag_an_environment_variable_and_a_meaning(setting: settings.Setting) -> None:
    assert setting.env == f"PM_{setting.name.upper()}"
    assert setting.flag == f"--{setting.name.replace('_', '-')}"
    assert setting.meaning
    assert not setting.choices or setting.default in setting.choices


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flag_comes_before_the_environment(name: str) -> None:
    flag, environment = SAMPLES[name]
    environ = {f"PM_{name.upper()}": environment}

    assert getattr(settings.load({}, environ), name) == typed(name, environment)
    assert getattr(settings.load({name: flag}, environ), name) == typed(name, flag)


def test_the_defaults_are_safe() -> None:
    found = settings.load({}, {})

    assert (found.workspace, found.tools, found.read_only) == ("", (), False)
    assert (found.synchronous, found.log_level) == ("full", "warning")
    assert (found.mirror, found.auto_import) == (None, False)
    assert found.data_root.is_absolute()
    assert found.data_root.name == "project-memory"
    assert found.database == found.data_root / "project-memory.db"


def test_an_empty_variable_means_the_default() -> None:
    assert settings.load({}, {setting.env: "" for setting in SETTINGS}) == settings.load({}, {})


def test_spaces_and_letter_case_do_not_matter_where_values_are_known() -> None:
    found = settings.load({}, {"PM_LOG_LEVEL": " DEBUG ", "PM_TOOLS": " memory_plan , ,memory_steps "})

    assert found.log_level == "debug"
    assert found.tools == ("memory_plan", "memory_steps")


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("Off", False)])
def test_read_only_takes_words_for_yes_and_no(text: str, meant: bool) -> None:
    assert settings.load({}, {"PM_READ_ONLY": text}).read_only is meant


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.flag_only], ids=lambda s: s.name)
@pytest.mark.parametrize("wrong", ["nein", "2", "y es", "truee"])
def test_another_word_than_yes_or_no_is_refused_with_the_words(setting: settings.Setting, wrong: str) -> None:
    words = "1, true, yes, on, 0, false, no, off"
    with pytest.raises(InvalidArguments, match=rf"\(or {setting.env}\) is '{wrong}'; it takes one of: {words}\."):
        settings.load({}, {setting.env: wrong})


def test_a_value_that_is_none_of_the_choices_is_refused_with_the_choices() -> None:
    with pytest.raises(InvalidArguments, match=r"--log-level \(or PM_LOG_LEVEL\) is 'loud'; it takes one of: debug, "):
        settings.load({}, {"PM_LOG_LEVEL": "loud"})


def test_a_data_root_may_name_the_home_folder_or_be_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))

    assert settings.load({"data_root": "~/store"}, {}).data_root == tmp_path / "home" / "store"
    assert settings.load({"data_root": "store"}, {}).data_root == tmp_path / "store"


def test_a_home_folder_of_nobody_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="--data-root"):
        settings.load({"data_root": "~nobody-of-that-name/store"}, {})


def test_flags_are_told_from_other_words_wherever_they_stand() -> None:
    flags, words = settings.split(
        ["--data-root", "/a", "demo", "--read-only", "--log-level=debug", "plan.md", "--keep"]
    )

    assert flags == {"data_root": "/a", "read_only": "1", "log_level": "debug"}
    assert words == ["demo", "plan.md", "--keep"]


def test_without_words_and_flags_nothing_is_set() -> None:
    assert settings.split([]) == ({}, [])


@pytest.mark.parametrize("argv", [["--data-root"], ["--read-only=1"]])
def test_a_flag_without_its_value_or_with_one_too_many_is_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidArguments, match="--help lists every setting"):
        settings.split(argv)


def test_flags_are_not_abbreviated() -> None:
    assert settings.split(["--data", "/a"]) == ({}, ["--data", "/a"])


@pytest.mark.parametrize(
    "name", ["PM_READONLY", "PM_READ-ONLY", "pm_read_only", "PM_DATAROOT", "PM_LOGLEVEL", "PM_TOOL"]
)
def test_a_variable_that_is_nearly_one_of_ours_is_refused(name: str) -> None:
    with pytest.raises(InvalidArguments, match=rf"{name}, which is no setting. Did you mean PM_"):
        settings.load({}, {name: "1"})


def test_variables_of_other_programs_do_no_harm() -> None:
    assert settings.load({}, {"PM_HOME": "/a", "PM_ID": "1", "pm_exec_path": "/b", "PM_": ""}) == settings.load({}, {})


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_flag_with_an_empty_value_is_refused(setting: settings.Setting) -> None:
    with pytest.raises(InvalidArguments, match=f"{setting.flag} has no value"):
        settings.load({setting.name: " "}, {})


def test_groups_of_tools_may_be_named() -> None:
    offered = [list(calls.offered(settings.load({"tools": text}, {}))) for text in ("core", "ALL", "core,memory_plan")]

    assert offered == [list(GROUPS["core"]), list(TOOLS), list(GROUPS["core"])]
    assert set(GROUPS["core"]) < set(TOOLS) == set(GROUPS["all"])
    with pytest.raises(
        InvalidArguments, match=r"names plans; there are: core, all, memory_.* Did you mean memory_plan\?"
    ):
        calls.offered(settings.load({"tools": "plans"}, {}))


@pytest.mark.parametrize("wrong", ["soon", "-1", "1.5", "0x10", "0", "31536001", "9" * 30, "９"])
def test_a_number_that_is_none_is_refused_with_the_flag_and_the_variable(wrong: str) -> None:
    with pytest.raises(InvalidArguments, match=r"--session-timeout .or PM_SESSION_TIMEOUT. is"):
        settings.load({"session_timeout": wrong}, {})
