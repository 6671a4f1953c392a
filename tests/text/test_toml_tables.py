"""A table of a TOML file, edited by its lines: nothing else changes, whichever way it is written."""

import itertools
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.text.editing import toml_tables
from server.text.editing.toml_tables import BadToml
from tests.text.test_jsonc import is_in
from tests.thoroughness import often

PATH = ("mcp_servers", "our-own")
ENTRY: dict[str, Any] = {"command": 'C:\\a "b"', "args": ["-I", "größe\x7f"], "required": True, "env": {"P Q": "'"}}

VALUES = st.sampled_from([
    "1", "-1.5e3", "true", '"a # \\" b"', "'C:\\x'", "1979-05-27T07:32:00Z", "07:32:00", "inf",
    '"""\n[mcp_servers.our-own]\ncommand = "x" # no\n"""', "'''\n# [x]\n''a'''", '""', "''", '"""a"""""',
    "[ 1, # one ]\n  2,\n]", '["]", "[", \'"\']', "{ a = 1, b = [{ c = '}' }] }", "{}", "[]",
])  # fmt: skip
KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'f g'", "1", '"#"', '"\\u00e9"'])
NOISE = st.sampled_from(["", "\n", "# a comment = [\n", "  # [mcp_servers.our-own]\n", "\n\n"])
ENDS = st.sampled_from(["\n", " # why\n", "   \n"])


@st.composite
def pairs(draw: st.DrawFn) -> str:
    found = draw(st.dictionaries(KEYS, VALUES, max_size=3))
    return "".join(f"{draw(NOISE)}{key} = {value}{draw(ENDS)}" for key, value in found.items())


@st.composite
def tables(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(["x", 'y."z.z"', "'q q'", 'projects."/home/me"']), unique=True, max_size=3))
    return "".join(f"{draw(NOISE)}[ {name} ]{draw(ENDS)}{draw(pairs())}" for name in names)


FORMS = {
    "none": "",
    "others": '[mcp_servers.other]\ncommand = "x"\n# about the end\n',
    "a table": '[mcp_servers.other]\na = 1\n\n# ours\n[mcp_servers."our-own"]\ncommand = "old"\n\n[z]\na = 1\n',
    "with a table in it": (
        "[mcp_servers.our-own] # x\ncommand = 'old'\n# y\nargs = [\n  ']',\n]\n\n[mcp_servers.our-own.env]\nA = '1'\n"
    ),
    "in pieces": "[mcp_servers.our-own]\ncommand = 'old'\n[between]\na = 1\n[mcp_servers.our-own.env]\nA = '1'\n",
    "in its parent": "[mcp_servers]\nother = { a = 1 }\nour-own = { command = 'old', args = ['}'] }\nz = { a = 2 }\n",
    "with dots": "[mcp_servers]\nour-own.command = 'old'\nother.command = 'x'\nour-own.env.A = '1'\n",
}
AT_THE_TOP = {
    "inline": "mcp_servers = { other = { a = 1 }, our-own = { command = 'old' }, z = { a = 2 } }\n",
    "inline, alone": "mcp_servers = { our-own = { command = 'old' } } # why\n",
    "inline, at the end": "mcp_servers = { other = { a = '}' }, our-own = { command = 'old' } }\n",
    "inline, not there": "mcp_servers = { other = { a = [1, 2] } }\n",
    "inline, empty": "mcp_servers = {}\n",
    "with dots": "mcp_servers.our-own.command = 'old'\nmcp_servers.other.command = 'x'\n",
}
DOCUMENTS = st.one_of(
    st.tuples(pairs(), tables(), st.sampled_from([*FORMS.values()]), NOISE),
    st.tuples(st.sampled_from([*AT_THE_TOP.values()]), pairs(), tables(), NOISE),
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = "".join(draw(DOCUMENTS))
    text = text.replace("\n", "\r\n") if draw(st.booleans()) else text
    text = text.rstrip("\r\n") if draw(st.booleans()) else text
    return draw(st.sampled_from(["", toml_tables.BOM])) + text


def says(text: str) -> dict[str, Any]:
    return tomlkit.parse(text.removeprefix(toml_tables.BOM)).unwrap()


@settings(max_examples=often(60, usual=20))
@given(documents())
def test_a_table_is_put_in_or_replaced_and_all_else_stays(text: str) -> None:
    before = says(text)
    servers = before.get("mcp_servers", {})
    new = toml_tables.with_member(text, PATH, ENTRY)

    assert ordered(toml_tables.read(new)["mcp_servers"]["our-own"]) == ordered(ENTRY)
    assert ordered(says(new)) == ordered({**before, "mcp_servers": {**servers, "our-own": ENTRY}})
    assert toml_tables.with_member(new, PATH, ENTRY) == new
    if "our-own" not in servers:
        assert is_in(text, new)
        assert "mcp_servers = " in text or new.startswith(text)


@settings(max_examples=often(60, usual=20))
@given(documents())
def test_a_table_is_taken_out_and_all_else_stays(text: str) -> None:
    before = says(text)
    new = toml_tables.without_member(text, PATH)

    assert is_in(new, text)
    before.get("mcp_servers", {}).pop("our-own", None)
    assert ordered({"mcp_servers": {}, **says(new)}) == ordered({"mcp_servers": {}, **before})
    assert new == text or "our-own" in text


@settings(max_examples=often(60, usual=20))
@example("\n\n")
@given(documents())
def test_what_is_put_in_and_taken_out_leaves_the_file_as_it_was(text: str) -> None:
    if "our-own" in says(text).get("mcp_servers", {}):
        return
    assert toml_tables.without_member(toml_tables.with_member(text, PATH, ENTRY), PATH) in (text, text.rstrip("\r\n"))


def ordered(value: Any) -> Any:
    """A value as it can be compared: the order of keys says nothing, and infinity is itself."""
    if isinstance(value, dict):
        return sorted((key, ordered(each)) for key, each in value.items())
    return [ordered(each) for each in value] if isinstance(value, list) else repr(value)


@pytest.mark.parametrize(("form", "end"), list(itertools.product([*FORMS, *AT_THE_TOP], ["\n", "\r\n"])))
def test_comments_and_other_tables_stay_in_their_place(form: str, end: str) -> None:
    text = {**AT_THE_TOP, **FORMS}[form].replace("\n", end)
    lines = [line for line in text.splitlines(keepends=True) if "our-own" not in line and "old" not in line]
    new = toml_tables.with_member(text, PATH, ENTRY)

    kept = [line for line in lines if line.startswith(("# ours", "# about", "[mcp_servers.other]", "[between]", "z ="))]
    assert [line for line in new.splitlines(keepends=True) if line in kept] == kept
    assert "\r\n" not in text or new.count("\r\n") == new.count("\n")


def test_a_table_looks_as_people_write_it() -> None:
    assert toml_tables.with_member('model = "x"\n', PATH, ENTRY) == (
        'model = "x"\n\n[mcp_servers.our-own]\ncommand = "C:\\\\a \\"b\\""\nargs = ["-I", "größe\\u007f"]\n'
        'required = true\n\n[mcp_servers.our-own.env]\n"P Q" = "\'"\n'
    )


@pytest.mark.parametrize(
    "text",
    ["a = ", "[a]\n[a]\n", 'a = "\n"', "a = 1 b = 2", "<<<<<<< HEAD\n", "\x00", "a = [1,,2]", "[a\n", "= 1"],
)
def test_what_is_no_toml_is_refused(text: str) -> None:
    for call in (toml_tables.read, lambda t: toml_tables.with_member(t, PATH, ENTRY)):
        with pytest.raises(BadToml):
            call(text)


def test_what_stands_in_several_pieces_is_refused() -> None:
    with pytest.raises(BadToml, match="several pieces"):
        toml_tables.with_member("mcp_servers = { our-own.command = 'x', our-own.args = [] }\n", PATH, ENTRY)


def test_an_inline_table_with_dots_in_it_is_edited() -> None:
    new = toml_tables.with_member("mcp_servers = { our-own = { command = 'x' }, z.a = 1 }\n", PATH, ENTRY)

    assert says(new)["mcp_servers"] == {"our-own": ENTRY, "z": {"a": 1}}
