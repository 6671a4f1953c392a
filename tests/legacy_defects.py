"""What happened to the files of old stores since they were written, by name. Each defect costs a plan or less."""

import json
from collections.abc import Callable

from tests import legacy_store as legacy
from tests.legacy_store import Json, Maker


def _state(m: Maker) -> tuple[str, bytes]:
    """Return the path and the sound bytes of the state of a new plan that is not added yet."""
    made = legacy.plan(m, title="Größe → 計画")
    return m.here(f"plans/{made['id']}/state.json"), legacy.dump(made)


def _spoilt(m: Maker, spoil: Callable[[bytes], bytes]) -> None:
    path, sound = _state(m)
    m.files[path] = spoil(sound)


def empty(m: Maker) -> None:
    _spoilt(m, lambda sound: b"")


def only_blanks(m: Maker) -> None:
    _spoilt(m, lambda sound: b" \n\t\n")


def truncated(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[: len(sound) * 2 // 3])


def cut_inside_a_character(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[: sound.index("ö".encode()) + 1])


def byte_order_mark(m: Maker) -> None:
    _spoilt(m, lambda sound: b"\xef\xbb\xbf" + sound)


def carriage_returns(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.replace(b"\n", b"\r\n") + b"\r\n")


def utf_16(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.decode().encode("utf-16"))


def latin_1(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.decode().encode("latin-1", "replace"))


def control_characters(m: Maker) -> None:
    """Raw ones inside of a text, which JSON forbids."""
    _spoilt(m, lambda sound: sound.replace("Größe".encode(), b"Gr\x01\n\tsse"))


def zero_bytes(m: Maker) -> None:
    """As a crash leaves a file on some file systems."""
    _spoilt(m, lambda sound: b"\0" * len(sound))


def duplicate_keys(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.replace(b'"title":', b'"title": "First",\n  "title":'))


def two_documents(m: Maker) -> None:
    _spoilt(m, lambda sound: sound + b"\n" + sound)


def trailing_comma(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[:-1] + b",\n}")


def not_a_number(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[:-2] + b',\n  "x_ratio": NaN,\n  "x_more": -Infinity\n}')


def too_deep(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[:-2] + b',\n  "x_deep": ' + b"[" * 20_000 + b"]" * 20_000 + b"\n}")


def huge_number(m: Maker) -> None:
    _spoilt(m, lambda sound: sound[:-2] + b',\n  "x_huge": ' + b"9" * 6_000 + b"\n}")


def lone_surrogate(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.replace("計画".encode(), b"\\ud83d"))


def null_character(m: Maker) -> None:
    _spoilt(m, lambda sound: sound.replace("計画".encode(), b"a\\u0000b"))


def not_an_object(m: Maker) -> None:
    _spoilt(m, lambda sound: b'["a", "list"]')


def minified(m: Maker) -> None:
    """Rewritten by another tool: sound, in another byte form."""
    _spoilt(m, lambda sound: json.dumps(json.loads(sound), separators=(",", ":")).encode())


def four_spaces(m: Maker) -> None:
    _spoilt(m, lambda sound: json.dumps(json.loads(sound), indent=4, sort_keys=True).encode() + b"\n\n")


def wrong_types(m: Maker) -> None:
    """Sound JSON whose fields are not what they are called."""
    state = legacy.plan(m, title=7, description=["a"], status=None, goals="one goal", created_at=12)
    legacy.add_plan(m, state | {"agent_sessions": {"a": 1}, "lineage": [None, 3], "pending_notes": "text"})


def wrong_steps(m: Maker) -> None:
    state = legacy.plan(m)
    odd: list[object] = ["a task", None, {"task": None}, {"index": {}, "task": ["x"], "phase": 3, "status": 0}, 4]
    legacy.add_plan(m, state | {"steps": [*state["steps"], *odd]})
    legacy.add_plan(m, legacy.plan(m) | {"steps": {"0": {"task": "keyed by index", "status": "done"}}})


def no_state(m: Maker) -> None:
    """A plan's folder without state.json, but with other files; one that is empty; one where state.json is a folder."""
    state: Json = legacy.plan(m)
    m.put(m.here(f"plans/{state['id']}/review.json"), legacy.envelope(m, "review", state))
    m.files[m.here(f"plans/{m.id('plan')}/")] = b""
    m.files[m.here(f"plans/{m.id('plan')}/state.json/")] = b""


def leftovers(m: Maker) -> None:
    """Of the old writer, of editors, and of systems."""
    state = legacy.plan(m)
    path = legacy.add_plan(m, state)
    for name in ("state.json.lock", "state.json.tmp", "state.json.4711.tmp", "state.json~", ".DS_Store", "Thumbs.db"):
        m.files[f"{path}/{name}"] = b"" if name.endswith("lock") else b"x"
    m.files[f"{path}/state.json.bak"] = legacy.dump(state)


def broken_context(m: Maker) -> None:
    state = legacy.plan(m)
    path = legacy.add_plan(m, state)
    sound = legacy.dump(legacy.envelope(m, "review", state))
    m.files[f"{path}/review.json"] = sound[:-30]
    m.files[f"{path}/research.json"] = b"\xef\xbb\xbf" + sound.replace(b"\n", b"\r\n")
    m.files[f"{path}/handoff_a_to_b.json"] = b""
    m.files[f"{path}/handoff_c_to_d.json"] = b"[]"
    m.files[f"{path}/research_notes/binary.md"] = bytes(range(256))
    m.files[f"{path}/research_notes/utf16.md"] = "größe".encode("utf-16")


def broken_program(m: Maker) -> None:
    program_id = legacy.program(m, [])
    m.files[m.here(f"programs/{program_id}/risks.json")] = b'[{"id": "risk_a", "title": "cut'
    other = legacy.program(m, [])
    m.files[m.here(f"programs/{other}/program.json")] = b"{"


def broken_events(m: Maker) -> None:
    one = legacy.event(m)
    m.files[f"events/{one['id']}.json"] = legacy.dump(one)[:40]
    text = json.dumps(legacy.event(m))
    m.files["events/events.log.1"] = (
        f"{text}\n\n{text[:30]}\nnot json\n[1]\n{text}\n{json.dumps({'no': 'id'})}".encode()
    )


def broken_knowledge(m: Maker) -> None:
    m.files[m.here("knowledge/broken.json")] = b'{"slug": "broken"'
    m.files[m.here("knowledge/list.json")] = b"[]"


def broken_workspace(m: Maker) -> None:
    """A second workspace of which only the plans can be read."""
    other = Maker(m.seed, "torn_app-111122223333")
    legacy.add_plan(other, legacy.plan(other))
    other.files[other.here("workspace.meta.json")] = b'{"workspace_id": "torn'
    other.files[other.here("workspace.context.json")] = b""
    m.files |= other.files


def huge_file(m: Maker) -> None:
    """Some MiB of sound JSON."""
    state = legacy.plan(m)
    path = legacy.add_plan(m, state)
    rows = [{"n": n, "text": "x" * 100} for n in range(20_000)]
    m.files[f"{path}/execution_log.json"] = json.dumps({"type": "execution_log", "data": {"rows": rows}}).encode()


DEFECTS: dict[str, Callable[[Maker], None]] = {
    defect.__name__: defect
    for defect in (
        empty,
        only_blanks,
        truncated,
        cut_inside_a_character,
        byte_order_mark,
        carriage_returns,
        utf_16,
        latin_1,
        control_characters,
        zero_bytes,
        duplicate_keys,
        two_documents,
        trailing_comma,
        not_a_number,
        too_deep,
        huge_number,
        lone_surrogate,
        null_character,
        not_an_object,
        minified,
        four_spaces,
        wrong_types,
        wrong_steps,
        no_state,
        leftovers,
        broken_context,
        broken_program,
        broken_events,
        broken_knowledge,
        broken_workspace,
        huge_file,
    )
}
