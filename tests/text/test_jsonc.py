"""JSON with comments, edited by splicing: nothing but one member changes, whatever the file looks like."""

import json
from typing import Any

import json5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.text.editing import jsonc
from server.text.editing.jsonc import BadJson
from tests.thoroughness import often

PATH = ("servers", "ours")
ENTRY = {"command": "/a b/python", "args": ["-I", "größe"], "env": {}}

GAPS = st.lists(
    st.sampled_from([" ", "\t", "\n", "\r\n", '// "a": {,\n', "/* } // */", "/**/", "// [\r\n"]), max_size=3
).map("".join)
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.sampled_from(["", "//", "/*", '"', "\\", "}", "\u2028é", "\t"])
).map(json.dumps)
KEYS = st.sampled_from(["a", "b", "ours too", "//", "ser\\vers", "{"]).map(json.dumps)


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=3))
    parts = [f"{draw(GAPS)}{item}{draw(GAPS)}" for item in items]
    tail = "," if parts and draw(st.booleans()) else ""
    return f"[{','.join(parts)}{tail}{draw(GAPS)}]"


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str], more: st.SearchStrategy[dict[str, str]]) -> str:
    members = {**draw(st.dictionaries(KEYS, values, max_size=3)), **draw(more)}
    order = draw(st.permutations(list(members)))
    parts = [f"{draw(GAPS)}{key}{draw(GAPS)}:{draw(GAPS)}{members[key]}{draw(GAPS)}" for key in order]
    tail = "," if parts and draw(st.booleans()) else ""
    return f"{{{','.join(parts)}{tail}{draw(GAPS)}}}"


NOTHING = st.just(dict[str, str]())
VALUES = st.recursive(ATOMS, lambda inner: arrays(inner) | objects(inner, NOTHING), max_leaves=5)
OURS = VALUES.map(lambda text: {'"ours"': text})


def documents(servers: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(["", jsonc.BOM]), GAPS, objects(VALUES, servers), GAPS).map("".join)


def servers(ours: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[dict[str, str]]:
    return objects(VALUES, ours).map(lambda text: {'"servers"': text})


WITHOUT, WITH = documents(servers(NOTHING)), documents(servers(OURS))
DOCUMENTS = documents(NOTHING) | WITHOUT | WITH


def says(text: str) -> Any:
    return json5.loads(text.removeprefix(jsonc.BOM))


def is_in(part: str, whole: str) -> bool:
    """Whether all characters of a text stand in another, in their order."""
    rest = iter(whole)
    return all(char in rest for char in part)


def comments(text: str) -> list[str]:
    pieces = jsonc._Document(text).pieces
    return [text[piece.start : piece.end] for piece in pieces if piece.kind in ("line", "comment")]


@settings(max_examples=often(60, usual=20))
@given(DOCUMENTS)
def test_a_text_is_read_like_a_parser_of_others_reads_it(text: str) -> None:
    assert jsonc.read(text) == says(text)


@settings(max_examples=often(60, usual=20))
@given(DOCUMENTS)
def test_a_member_is_put_in_or_replaced_and_all_else_stays(text: str) -> None:
    before = says(text)
    new = jsonc.with_member(text, PATH, ENTRY)

    assert says(new) == {**before, "servers": {**before.get("servers", {}), "ours": ENTRY}}
    assert says(jsonc.with_member(new, PATH, ENTRY)) == says(new)
    if "ours" not in before.get("servers", {}):
        assert is_in(text, new)
        assert comments(new) == comments(text)


@settings(max_examples=often(60, usual=20))
@given(WITH)
def test_a_member_is_taken_out_and_all_else_stays(text: str) -> None:
    before = says(text)
    new = jsonc.without_member(text, PATH)

    del before["servers"]["ours"]
    assert says(new) == before
    assert is_in(new, text)
    assert is_in("".join(comments(new)), "".join(comments(text)))


@settings(max_examples=often(60, usual=20))
@given(WITHOUT)
def test_what_is_put_in_and_taken_out_leaves_at_most_white_space(text: str) -> None:
    new = jsonc.without_member(jsonc.with_member(text, PATH, ENTRY), PATH)

    assert "".join(new.split()) == "".join(text.split())


FORMATTED = {
    "two spaces": '{\n  "servers": {\n    "a": {"x": 1}\n  }\n}\n',
    "tabs": '{\n\t"servers": {\n\t\t"a": {\n\t\t\t"x": 1\n\t\t}\n\t},\n\t"z": 0\n}',
    "CRLF": '{\r\n  "servers": {\r\n    "a": 1\r\n  }\r\n}\r\n',
    "a comment behind the last one": '{\n  "servers": {\n    "a": 1 // about a\n    // "b": 2\n  }\n}\n',
    "a comma at the end": '{\n  "servers": {\n    "a": 1,\n  },\n}\n',
    "on one line": '{"servers": {"a": {"x": 1}}, "z": 2}',
    "a servers of one line": '{\n  "servers": {"a": 1},\n  "z": 2\n}\n',
}


@pytest.mark.parametrize("text", FORMATTED.values(), ids=FORMATTED)
def test_a_file_in_good_order_is_given_back_to_the_byte(text: str) -> None:
    new = jsonc.with_member(text, PATH, ENTRY)

    assert jsonc.without_member(new, PATH) == text
    assert new.count("\n") == text.count("\n") or "\r\n" not in text or new.count("\r\n") == new.count("\n")


def test_a_new_member_looks_like_those_around_it() -> None:
    assert jsonc.with_member('{\n\t"servers": {\n\t\t"a": 1 // one\n\t}\n}\n', PATH, {"x": [1]}) == (
        '{\n\t"servers": {\n\t\t"a": 1, // one\n\t\t"ours": {\n\t\t\t"x": [\n\t\t\t\t1\n\t\t\t]\n\t\t}\n\t}\n}\n'
    )
    assert jsonc.with_member('{"servers": {"a": 1}}', PATH, {"x": 1}) == '{"servers": {"a": 1, "ours": {"x": 1}}}'
    assert jsonc.with_member('{\r\n    "a": 1,\r\n}', PATH, 0) == (
        '{\r\n    "a": 1,\r\n    "servers": {\r\n        "ours": 0\r\n    },\r\n}'
    )
    assert jsonc.with_member("{}", PATH, 0) == '{\n  "servers": {\n    "ours": 0\n  }\n}'
    assert jsonc.with_member('{\n  "servers": {}\n}\n', PATH, 0) == '{\n  "servers": {\n    "ours": 0\n  }\n}\n'


@pytest.mark.parametrize("text", ["", "\ufeff", " \n", "// nothing yet\n", "/* nothing */", "// no end"])
def test_an_empty_file_gets_its_first_member_and_keeps_its_comments(text: str) -> None:
    new = jsonc.with_member(text, PATH, 1)

    assert new.startswith(text)
    assert jsonc.read(text) == {}
    assert says(new) == {"servers": {"ours": 1}}


BROKEN = {
    "no end": '{"a": 1',
    "two values": "{} {}",
    "no comma": '{"a": 1 "b": 2}',
    "two commas": '{"a": 1,,}',
    "a comma alone": "{,}",
    "a key without quotes": "{a: 1}",
    "single quotes": "{'a': 1}",
    "no value": '{"a": }',
    "a line end in a text": '{"a": "x\ny"}',
    "an escape that is none": '{"a": "\\x"}',
    "a number that is none": '{"a": 01}',
    "a word": '{"a": yes}',
    "a comment without an end": "{} /* ",
    "too deep": "[" * 500 + "]" * 500,
    "the wrong bracket": '{"a": [}',
    "markers of a merge": '<<<<<<< HEAD\n{}\n=======\n{"a": 1}\n>>>>>>> x\n',
    "zero bytes": "\x00\x00",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_json_is_refused_with_its_place(text: str) -> None:
    for call in (jsonc.read, lambda found: jsonc.with_member(found, PATH, 1), lambda t: jsonc.without_member(t, PATH)):
        with pytest.raises(BadJson, match=r"^line \d+: "):
            call(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"servers": [], "a": 1}', "servers is no object"),
        ('{"servers": null}', "servers is no object"),
        ("[]", "the whole is no object"),
        ('{"servers": {}, "servers": {"a": 1}}', "'servers' stands in it 2 times"),
        ('{"servers": {"ours": 1, "ours": 2}}', "'ours' stands in it 2 times"),
    ],
)
def test_a_place_that_is_not_one_object_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadJson, match=why):
        jsonc.with_member(text, PATH, 1)
    with pytest.raises(BadJson, match=why):
        jsonc.without_member(text, PATH)
