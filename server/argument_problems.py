"""What is wrong with an argument, in people's words and with its place: `steps[2].task`."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

Problem = dict[str, str]
NAME_SHOWN = 80
NO_VALUE = object()

# What a value has to be, by the code of the finding; {} are its limits.
WANTED = {
    "string_type": "text",
    "string_unicode": "text of whole Unicode characters",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a usual size",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_pattern_mismatch": "written in another way: help shows how",
}
SAID = {
    "missing": "is required",
    "string_too_short": "has at least {min_length} characters",
    "string_too_long": "has at most {max_length} characters",
    "too_short": "has too few items: at least {min_length}",
    "too_long": "has too many items: at most {max_length}",
    "invalid_key": "has a name that is no text",
    "recursion_loop": "holds itself",
}
USELESS = "cannot be used as it is; help shows what it takes"


def told(name: str, value: object, found: Iterable[Mapping[str, Any]], known: Sequence[str]) -> list[Problem]:
    """Return the findings about one argument in words, one a place; `known` are the fields of its nested objects."""
    kinds: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for finding in found:
        place = place_of(name, value, finding["loc"])
        here = kinds.setdefault(place, [])
        if finding["type"] in WANTED:
            here.append(WANTED[finding["type"]].format(**_limits(finding)))
        else:
            words.setdefault(place, _words(finding, known))
    return [
        {"param": place, "problem": words.get(place) or f"must be {' or '.join(dict.fromkeys(wanted))}"}
        for place, wanted in kinds.items()
    ]


def _limits(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a finding says of limits: a whole number as one, whatever its type."""
    found = cast(Mapping[str, Any], finding.get("ctx", {}))
    return {name: f"{value:,.15g}" if isinstance(value, float) else value for name, value in found.items()}


def _words(finding: Mapping[str, Any], known: Sequence[str]) -> str:
    kind, limits = finding["type"], _limits(finding)
    if kind == "extra_forbidden":
        near = next(iter(difflib.get_close_matches(str(finding["loc"][-1])[:NAME_SHOWN].lower(), known, 1, 0.6)), None)
        return f"unknown, did you mean '{near}'?" if near else f"unknown; known are {', '.join(known)}"
    if kind == "value_error":
        return str(limits.get("error", USELESS))  # said by our own validators
    return SAID[kind].format(**limits) if kind in SAID else USELESS


def place_of(name: str, value: object, path: Sequence[int | str]) -> str:
    """Return where in an argument a finding is. What no value has, such as the name of a type, is left out."""
    place = name
    for part in path:
        if isinstance(part, int) and isinstance(value, list):
            items = cast(list[object], value)
            place, value = f"{place}[{part}]", items[part] if part < len(items) else NO_VALUE
        elif isinstance(value, dict) and (part in value or part == path[-1]):
            place, value = f"{place}.{str(part)[:NAME_SHOWN]}", cast(dict[object, object], value).get(part, NO_VALUE)
    return place
