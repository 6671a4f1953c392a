"""Tool, Action, Param: annotated async functions become one flat schema, one validation, one set of messages a tool."""

import dataclasses
import difflib
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from server.argument_problems import NAME_SHOWN, place_of, told
from server.errors import InvalidArguments, UnknownAction
from server.text.broken import broken_text

Schema = dict[str, Any]
Handler = Callable[..., Awaitable[Any]]
Alternatives = tuple[tuple[str, ...], ...]

DESCRIPTION_LIMIT = 2048
SHORT_LIMIT = 1600  # characters that whole summaries may take: every client reads them in every session
SCALAR_TYPES = ("string", "integer", "number", "boolean")
HELP = "help"
MOST_PROBLEMS = 25  # more than an action has parameters


@dataclass(frozen=True)
class Param:
    """One keyword argument of an action."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @cached_property
    def full_schema(self) -> Schema:
        return _adapter(self.annotation).json_schema()

    @cached_property
    def schema(self) -> Schema:
        """The portable form that `tools/list` carries: type, enum, items, description."""
        return _portable(self.full_schema, self.full_schema.get("$defs", {}))

    def validate(self, value: object) -> tuple[Any, list[dict[str, str]]]:
        """Return the value and no problems, or None and what is wrong with it."""
        if isinstance(value, bool) and self.schema["type"] in ("integer", "number"):
            return None, [{"param": self.name, "problem": "must be a number, not true or false"}]
        if broken := broken_text(value):
            return None, [{"param": place_of(self.name, value, broken.path), "problem": broken.problem}]
        try:
            return _adapter(self.annotation).validate_python(value), []
        except ValidationError as error:
            decoded = _json_text(value)
            if decoded is not value:
                return self.validate(decoded)
            shapes = [self.full_schema, *self.full_schema.get("$defs", {}).values()]
            known = [name for shape in shapes for name in shape.get("properties", ())]
            return None, told(self.name, value, error.errors(include_url=False, include_input=False), known)

    def describe(self) -> dict[str, Any]:
        """Return what `help` says about it: type, values, limits, default and nested shape."""
        shown = _portable(self.full_schema, self.full_schema.get("$defs", {}), nested=True)
        said: dict[str, Any] = {"name": self.name, **({"required": True} if self.required else {}), **shown}
        return said if self.required or self.default in (None, (), False) else {**said, "default": self.default}


@dataclass(frozen=True)
class Action:
    """One verb of a tool, read off the signature and docstring of its handler.

    `shared` are parameters that the call object carries for many actions; `one_of` are alternatives of which the
    caller must complete one, such as `(("step_id",), ("plan_id", "step_index"))`. `lists` are lists by name that only
    its help shows; `then` does what is left once the transaction of the handler is committed, with the object of JSON
    values that the handler returned.
    """

    tool: str
    name: str
    handler: Handler
    read_only: bool = False
    destructive: bool = False
    shared: tuple[Param, ...] = ()
    one_of: Alternatives = ()
    aliases: tuple[str, ...] = ()
    lists: Mapping[str, Sequence[Mapping[str, object]]] = field(
        default_factory=dict[str, Sequence[Mapping[str, object]]]
    )
    then: Handler | None = None
    writes_with: str | None = None  # the parameter without which it only reads
    with_it: tuple[str, ...] = ()  # those of its own that say nothing without that one
    left_out: frozenset[str] = frozenset()  # parameters that a server does not list which refuses every write

    def writes(self, arguments: Mapping[str, object]) -> bool:
        """Return whether a call with these arguments changes anything."""
        return not self.read_only and (self.writes_with is None or arguments.get(self.writes_with) not in (None, False))

    @cached_property
    def doc(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0]

    @property
    def example(self) -> dict[str, Any]:
        """The call after the last `Example:` of the docstring."""
        text = self.doc.rpartition("Example:")[2].strip()
        return json.loads(text) if text.startswith("{") else {"action": self.name}

    @property
    def help_text(self) -> str:
        return self.doc.rpartition("Example:")[0].strip() or self.doc

    @cached_property
    def own(self) -> Mapping[str, Param]:
        keyword_only = (p for p in inspect.signature(self.handler).parameters.values() if p.kind is p.KEYWORD_ONLY)
        return {p.name: Param(p.name, p.annotation, p.default) for p in keyword_only}

    @cached_property
    def params(self) -> Mapping[str, Param]:
        """Every parameter it takes, its own first."""
        every = {**self.own, **{p.name: p for p in self.shared if p.name not in self.own}}
        return {name: param for name, param in every.items() if name not in self.left_out}

    @property
    def required(self) -> list[str]:
        alternatives = [" or ".join("+".join(group) for group in self.one_of)] if self.one_of else []
        return alternatives + [p.name for p in self.params.values() if p.required]

    @property
    def optional(self) -> list[str]:
        named = {name for group in self.one_of for name in group}
        return [p.name for p in self.params.values() if not p.required and p.name not in named]

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(self.required)})"

    def validate(self, raw: Mapping[str, object]) -> dict[str, Any]:
        """Check `raw` against this action and return the values given, by name. Null stands for absent."""
        given = {name: value for name, value in raw.items() if value is not None}
        strange = [name for name in given if name not in self.params][: MOST_PROBLEMS + 1]
        unknown = {name[:NAME_SHOWN]: nearest(name, self.params) for name in strange}
        missing = [p.name for p in self.params.values() if p.required and p.name not in given]
        if self.one_of and not any(given.keys() >= set(group) for group in self.one_of):
            missing.insert(0, self.required[0])
        values: dict[str, Any] = {}
        invalid: list[dict[str, str]] = []
        for name, value in given.items():
            if name in self.params:
                values[name], problems = self.params[name].validate(value)
                invalid += problems
        if unknown or missing or invalid:
            raise self._refusal(unknown, missing, invalid)
        return values

    def _refusal(
        self, unknown: dict[str, str | None], missing: list[str], invalid: list[dict[str, str]]
    ) -> InvalidArguments:
        more = max(len(unknown), len(invalid)) > MOST_PROBLEMS
        unknown = dict(list(unknown.items())[:MOST_PROBLEMS])
        invalid = invalid[:MOST_PROBLEMS]
        problems = [f"'{name}' is required" for name in missing]
        problems += [
            f"'{name}': did you mean '{near}'?" if near else f"'{name}' is no parameter of this action"
            for name, near in unknown.items()
        ]
        problems += [f"'{p['param']}': {p['problem']}" for p in invalid]
        problems += ["and more of that kind"] if more else []
        details: dict[str, object] = {"missing": missing, "unknown": unknown, "invalid": invalid}
        told = "; ".join(problems)
        return InvalidArguments(
            f"{self.tool} {self.name}: {told}{'' if told.endswith('?') else '.'} "
            f"action='help' topic='{self.name}' shows types, limits and an example.",
            **{key: value for key, value in details.items() if value},
            usage={"required": self.required, "optional": self.optional},
        )


@dataclass(frozen=True)
class Bound:
    """A validated call: the action, its own arguments, and the shared ones."""

    action: Action
    arguments: dict[str, Any]
    shared: dict[str, Any]


@dataclass
class Tool:
    """A named group of actions, exposed to clients as one MCP tool.

    `groups` maps the name of a bundle to the shared parameters in it; `always` and `on_write` name the bundles that
    every action, and every one that writes, takes.
    """

    name: str
    title: str
    purpose: str
    groups: Mapping[str, Sequence[Param]] = field(default_factory=dict[str, Sequence[Param]])
    always: tuple[str, ...] = ()
    on_read: tuple[str, ...] = ()
    on_write: tuple[str, ...] = ()
    actions: dict[str, Action] = field(default_factory=dict[str, Action])
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    presets: dict[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])

    def __post_init__(self) -> None:
        self.actions[HELP] = Action(self.name, HELP, self._help_handler(), read_only=True)

    def action(
        self,
        *,
        read_only: bool = False,
        destructive: bool = False,
        takes: tuple[str, ...] = (),
        one_of: Alternatives = (),
        aliases: tuple[str, ...] = (),
        presets: Mapping[str, Mapping[str, object]] | None = None,
        lists: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
        then: Handler | None = None,
        writes_with: str | None = None,
        with_it: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function under its own name; a trailing underscore is dropped.

        `presets` are further aliases, each with the arguments that it stands for; `lists` are shown by its help;
        without the parameter `writes_with` it only reads, and those of `with_it` say nothing.
        """
        aliases = (*aliases, *(presets or ()))
        self.presets.update(presets or {})

        def register(handler: Handler) -> Handler:
            name = handler.__name__.rstrip("_")
            if taken := {name, *aliases} & (self.actions.keys() | self.aliases.keys()):
                raise ValueError(f"{self.name} already has an action {taken}")
            bundles = (*self.always, *(self.on_read if read_only else self.on_write), *takes)
            shared = tuple(param for bundle in bundles for param in self.groups[bundle])
            self.actions[name] = Action(
                self.name,
                name,
                handler,
                read_only,
                destructive,
                shared,
                one_of,
                aliases,
                lists or {},
                then,
                writes_with,
                with_it,
            )
            self.aliases.update(dict.fromkeys(aliases, name))
            return handler

        return register

    def reading(self) -> "Tool":
        """Return it with what a server lists that refuses every write: no action and no parameter that only writes."""
        readers = {name: action for name, action in self.actions.items() if action.read_only}
        known = {name for action in readers.values() for name in action.params}
        for name, action in self.actions.items():
            if action.writes_with:
                further = {param.name for param in action.shared} - known
                left_out = frozenset({action.writes_with, *action.with_it, *further})
                readers[name] = dataclasses.replace(action, read_only=True, writes_with=None, left_out=left_out)
        return dataclasses.replace(self, actions=readers)

    def knows(self, name: str) -> bool:
        """Return whether it has an action of that name, or one that also has it."""
        return name in self.actions or name in self.aliases

    def find(self, name: object) -> Action:
        """Return the action called `name`, by its own name or an alias."""
        known = self.aliases.get(name, name) if isinstance(name, str) else name
        if isinstance(known, str) and known in self.actions:
            return self.actions[known]
        shown = str(name)[:NAME_SHOWN]
        near = nearest(shown, [*self.actions, *self.aliases])
        problem = "the parameter 'action' is missing" if name is None else f"there is no action {shown!r}"
        raise UnknownAction(
            f"{self.name}: {problem}.{f' Did you mean {near!r}?' if near else ''} "
            f"Actions: {', '.join(sorted(self.actions))}. action='help' explains them.",
            **({"did_you_mean": near} if near else {}),
        )

    def bind(self, raw: Mapping[str, object]) -> Bound:
        """Find and validate the call that `raw` asks for."""
        arguments = dict(raw)
        name = arguments.pop("action", None)
        action = self.find(name)
        preset: Mapping[str, object] = self.presets.get(name, {}) if isinstance(name, str) else {}
        values = action.validate({**preset, **arguments})
        return Bound(
            action,
            {name: value for name, value in values.items() if name in action.own},
            {p.name: values.get(p.name, p.default) for p in action.shared},
        )

    def input_schema(self) -> Schema:
        """Return the flat schema: the action and the union of all parameters. One name has one shape in a tool."""
        properties: dict[str, Schema] = {"action": {"type": "string", "enum": sorted(self.actions)}}
        for action in self.actions.values():
            for param in action.params.values():
                first = properties.setdefault(param.name, param.schema)
                if first != param.schema:
                    raise ValueError(f"{self.name} {action.name}: {param.name!r} differs from another action's")
        ordered = {name: properties[name] for name in ("action", *sorted(properties.keys() - {"action"}))}
        return {
            "type": "object",
            "properties": ordered,
            "required": ["action"],
            "additionalProperties": False,
        }

    def description(self) -> str:
        """Return the purpose and a line an action: its summary, the beginning of that, or nothing more, as it fits."""
        actions = [self.actions[name] for name in sorted(self.actions)]
        for line, most in (
            (_full_line, SHORT_LIMIT),
            (_short_line, DESCRIPTION_LIMIT),
            (_bare_line, DESCRIPTION_LIMIT),
        ):
            text = "\n".join([self.purpose, *map(line, actions)])
            if len(text) <= most:
                return text
        raise ValueError(f"{self.name}: the bare list of actions exceeds {DESCRIPTION_LIMIT} characters")

    def _help_handler(self) -> Handler:
        async def help_(_: object, *, topic: str | None = None) -> dict[str, Any]:
            """All actions, or one of them in full."""
            return self.help_on(topic) if topic else self.overview()

        return help_

    def overview(self) -> dict[str, Any]:
        actions = [self.actions[name] for name in sorted(self.actions)]
        return {
            "tool": self.name,
            "purpose": self.purpose,
            "actions": [{"action": a.name, "required": a.required, "summary": a.summary} for a in actions],
            "more": f"{self.name} action='help' topic='<action>'",
        }

    def help_on(self, topic: str) -> dict[str, Any]:
        action = self.find(topic)
        return {
            "tool": self.name,
            "action": action.name,
            "help": action.help_text,
            "read_only": action.read_only,
            "destructive": action.destructive,
            "aliases": list(action.aliases),
            "required": action.required,
            "params": [param.describe() for param in action.params.values()],
            "example": action.example,
            **action.lists,
        }


def _full_line(action: Action) -> str:
    return f"{action.signature}: {action.summary}"


def _short_line(action: Action) -> str:
    return f"{action.signature}: {action.summary.partition(';')[0].partition(',')[0].rstrip('.')}"


def _bare_line(action: Action) -> str:
    return action.signature


def params_of(fields: type[Any]) -> dict[str, Param]:
    """Return a parameter for each field of a dataclass, by name."""
    return {f.name: Param(f.name, f.type, f.default) for f in dataclasses.fields(fields)}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None."""
    return next(iter(difflib.get_close_matches(name[:NAME_SHOWN].lower(), list(known), 1, 0.6)), None)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _json_text(value: object) -> object:
    """Some clients send arrays and objects as JSON text: decode it, or return `value` itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


LIMITS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minimum": "minimum",
    "maximum": "maximum",
    "minItems": "min_items",
    "maxItems": "max_items",
}


def _portable(schema: Schema, definitions: Mapping[str, Schema], *, nested: bool = False) -> Schema:
    """Reduce a pydantic schema to what every client takes; `nested` keeps limits and shapes, for people and help."""
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    arms = [arm for arm in schema.get("anyOf", ()) if arm.get("type") != "null"]
    if arms:
        schema = {**arms[0], **{k: v for k, v in schema.items() if k == "description"}}
        return _portable(schema, definitions, nested=nested)
    out: Schema = {"type": schema.get("type", "object")}
    if "enum" in schema or "const" in schema:
        out["enum"] = schema.get("enum") or [schema["const"]]
    if out["type"] == "array":
        item = _portable(schema.get("items", {}), definitions, nested=nested)
        out["items"] = item if nested else {key: value for key, value in item.items() if key != "description"}
    if nested:
        out |= {said: schema[key] for key, said in LIMITS.items() if key in schema}
        required = schema.get("required", ())
        if shape := schema.get("properties"):
            out["fields"] = {
                name + "*" * (name in required): _portable(child, definitions, nested=True)
                for name, child in shape.items()
            }
    if text := schema.get("description"):
        out["description"] = text
    return out
