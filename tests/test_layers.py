"""Who may import whom, and the measures every file keeps."""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from server import tools
from server.db.context import context_items
from server.db.ledger import entries
from server.tools.wording import LISTERS, WAYS

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "server"
FILES = sorted(SERVER.rglob("*.py"))

# What each room of server/ may import from the others.
BASE = {"errors", "settings", "text", "files", "waiting", "confined", "processes", "left_behind"}
ROWS = {"errors", "text", "models"}
TOOLS = BASE | {"models", "registry", "argument_problems", "library_files", "db", "exporters"}
CALLS = TOOLS | {"tools", "catalog", "store"}
BEHIND = CALLS | {"calls", "catalog_pages"}
ROOMS = {
    "errors": set[str](),
    "text": {"errors"},
    "settings": {"errors", "text"},
    "completion": {"settings"},
    "files": set[str](),
    "file_locks": set[str](),
    "waiting": set[str](),
    "left_behind": set[str](),
    "processes": {"errors", "left_behind"},
    "confined": {"errors", "files", "text"},
    "argument_problems": set[str](),
    "models": {"errors", "text"},
    "registry": {"errors", "text", "argument_problems"},
    "aliases": {"errors", "registry"},
    "catalog": {"registry"},
    "catalog_pages": {"registry", "aliases"},
    "library_files": {"models", "text"},
    "db": ROWS | {"files", "file_locks", "settings"},
    "importers": ROWS | {"settings", "db"},
    "exporters": ROWS | {"files", "file_locks", "db", "importers"},
    "tools": TOOLS,
    "store": BASE | {"catalog", "library_files", "db"},
    "calls": CALLS | {"aliases"},
    "upkeep": BASE | {"file_locks", "models", "db", "exporters", "tools", "store"},
    "jobs": BEHIND | {"importers", "upkeep"},
    "protocol": BEHIND | {"jobs"},
    "web": BEHIND | {"protocol", "upkeep"},
    "cli": BEHIND | {"file_locks", "web", "aliases", "importers", "upkeep", "jobs", "protocol", "completion"},
    "__main__": {"errors", "settings", "text", "protocol", "cli", "completion"},
    "__init__": set[str](),
}

# Where a package of others may be imported; one that is not named here may be imported nowhere.
THIRD_PARTY = {
    "mcp": {"protocol", "cli/demo", "cli/setup/checking", "web/mcp_endpoint/sdk_app"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "jinja2": {"web"},
    "markupsafe": {"web"},
    "markdown_it": {"web"},
    "sqlite3": {"db/storage"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pydantic": {"models", "registry", "tools"},
    "pydantic_core": {"models"},
    "anyio": {
        "db",
        "importers",
        "tools",
        "store",
        "waiting",
        "upkeep",
        "jobs",
        "protocol",
        "web",
        "cli",
        "__main__",
    },
    "platformdirs": {"settings"},
    "ruamel": {"text/editing/yaml"},
}
ANY_SQL = re.compile(
    r"\b(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|CREATE\s+(TABLE|INDEX)\b|PRAGMA\b"
    r"|BEGIN IMMEDIATE|ORDER\s+BY\b|GROUP\s+BY\b|LEFT\s+JOIN\b|WHERE\s+\w+\s*=)"
)
A_TOOL = re.compile(r"\bmemory_[a-z]+\b")
# What imports late besides the command line: a server answers first, and most never need the rest.
LATE = (
    "jobs/background", "db/storage/migrations", "text/editing/yaml", "protocol/stdio", "protocol/loop",
    "web/mcp_endpoint/sdk_side",
)  # fmt: skip
PUT_OFF = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
MOST_MODULES = 16

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(SERVER).with_suffix("").as_posix()


def room_of(path: Path) -> str:
    return name_of(path).partition("/")[0]


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree(path)))


@cache
def imported(path: Path) -> list[str]:
    """The dotted names of all modules that a file imports, wherever the import stands."""
    return list(named_in_imports(path))


def named_in_imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno} imports relatively"
            if node.module.startswith("server"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


@cache
def functions(path: Path) -> list[Function]:
    return [node for node in nodes(path) if isinstance(node, Function)]


def docstrings(path: Path) -> set[ast.AST]:
    holders = [n for n in nodes(path) if isinstance(n, ast.Module | ast.ClassDef | Function) and n.body]
    firsts = [holder.body[0] for holder in holders]
    return {first.value for first in firsts if isinstance(first, ast.Expr)}


def texts(path: Path) -> Iterator[ast.Constant]:
    """Every string of the code, but for the docstrings."""
    told = docstrings(path)
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node


def offenders(found_in: Callable[[Path], Collection[object]], paths: Iterable[Path] = FILES) -> dict[str, object]:
    """What a rule finds in each file that breaks it."""
    found = {path.relative_to(ROOT).as_posix(): found_in(path) for path in paths}
    assert found
    return {name: those for name, those in found.items() if those}


def test_each_room_says_what_it_may_import() -> None:
    assert {room_of(path) for path in FILES} == ROOMS.keys()


def test_a_room_imports_only_the_rooms_below_it() -> None:
    def above(path: Path) -> set[str]:
        own = [module.split(".")[1:] for module in imported(path) if module.split(".")[0] == "server"]
        rooms = {parts[0] for parts in own if parts and not parts[0].startswith("__")}
        return rooms - {room_of(path)} - ROOMS[room_of(path)]

    assert offenders(above) == {}


def test_no_tool_leans_on_another() -> None:
    packages = {place.parent.name for place in (SERVER / "tools").glob("*/tool.py")}

    def leaned_on(path: Path) -> set[str]:
        parts = [module.split(".") for module in imported(path)]
        return {names[2] for names in parts if names[:2] == ["server", "tools"]} & packages - {path.parent.name}

    assert offenders(leaned_on, [path for path in FILES if re.match(r"tools/\w+/", name_of(path))]) == {}


def test_a_foreign_package_is_imported_only_where_it_belongs() -> None:
    def foreign(path: Path) -> set[str]:
        packages = {module.split(".")[0] for module in imported(path)}
        found = packages - set(sys.stdlib_module_names) - {"server"} | {"sqlite3"} & packages
        parents = [parent.relative_to(SERVER) for parent in path.parents if parent.is_relative_to(SERVER)]
        places = {name_of(path), *(parent.as_posix() for parent in parents)}
        return {package for package in found if not places & THIRD_PARTY.get(package, set())}

    assert offenders(foreign) == {}


def test_no_module_imports_itself_around_corners() -> None:
    modules = {f"server.{name_of(path).replace('/', '.').removesuffix('.__init__')}": path for path in FILES}
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        for target in imported(path):
            known = target if target in modules else target.rpartition(".")[0]
            if known in modules and known not in (module, "server"):
                graph[module].add(known)

    TopologicalSorter(graph).prepare()  # raises CycleError


def test_imports_stand_at_the_top() -> None:
    def late(path: Path) -> list[int]:
        return [n.lineno for f in functions(path) for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]

    assert offenders(late, [p for p in FILES if room_of(p) not in ("cli", "__main__") and name_of(p) not in LATE]) == {}


def test_a_file_has_at_most_500_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_a_function_has_at_most_60_lines() -> None:
    def long(path: Path) -> dict[str, int]:
        lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(path)}
        return {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION}

    assert offenders(long) == {}


def test_a_function_and_its_parameters_are_annotated() -> None:
    def bare(path: Path) -> list[str]:
        parameters = [
            f"{f.name}({a.arg})"
            for f in functions(path)
            for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs, f.args.vararg, f.args.kwarg)
            if a and a.annotation is None and a.arg not in ("self", "cls")
        ]
        return parameters + [f.name for f in functions(path) if f.returns is None]

    assert offenders(bare) == {}


def test_a_folder_holds_no_more_modules_than_one_can_overlook() -> None:
    folders = {path.parent for path in FILES} - {SERVER / "models"}  # there, each family has one
    modules = {folder: [p.name for p in folder.glob("*.py") if p.name != "__init__.py"] for folder in folders}

    assert {folder: names for folder, names in modules.items() if len(names) > MOST_MODULES} == {}


def test_a_class_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name_of(path))

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_the_tool_call_boundary_is_the_only_broad_except() -> None:
    broad = [
        name_of(path)
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or any(isinstance(n, ast.Name) and n.id == "Exception" for n in ast.walk(node.type)))
    ]

    assert broad == ["protocol/state"]


def test_who_catches_everything_raises_it_again() -> None:
    def swallowed(path: Path) -> list[int]:
        handlers = [n for n in nodes(path) if isinstance(n, ast.ExceptHandler) and isinstance(n.type, ast.Name)]
        return [
            h.lineno
            for h in handlers
            if isinstance(h.type, ast.Name) and h.type.id == "BaseException" and not isinstance(h.body[-1], ast.Raise)
        ]

    assert offenders(swallowed) == {}


def test_only_the_command_line_prints() -> None:
    def printed(path: Path) -> list[int]:
        calls = [n for n in nodes(path) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        return [n.lineno for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]

    assert offenders(printed, [path for path in FILES if room_of(path) != "cli"]) == {}


def test_sql_stands_only_in_db() -> None:
    def found(path: Path) -> list[str]:
        return [f"{node.lineno}: {node.value}" for node in texts(path) if ANY_SQL.search(str(node.value))]

    assert offenders(found, [path for path in FILES if room_of(path) not in ("db", "cli")]) == {}


def test_what_knows_no_tool_names_none() -> None:
    def found(path: Path) -> list[str]:
        return [
            f"{node.lineno}: {node.value}"
            for node in texts(path)
            if set(A_TOOL.findall(str(node.value))) & set(tools.TOOLS)
        ]

    assert offenders(found, [p for p in FILES if room_of(p) in ("db", "exporters", "models", "text")]) == {}


def test_each_kind_that_an_error_is_about_has_a_call_that_helps() -> None:
    calls = [n for path in FILES if room_of(path) == "db" for n in nodes(path) if isinstance(n, ast.Call)]
    listed = [n.args[1] for n in calls if isinstance(n.func, ast.Name) and n.func.id == "not_found"]
    helped = [n.args[0] for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "about"]

    assert {n.value for n in listed if isinstance(n, ast.Constant)} | set(context_items.NEAR) | entries.NAMED == set(
        LISTERS
    )
    assert {n.value for n in helped if isinstance(n, ast.Constant)} == set(WAYS)


def test_the_calls_that_complete_an_error_exist() -> None:
    told = {kind: re.findall(r"(memory_\w+) action='(\w+)'", text) for kind, text in {**LISTERS, **WAYS}.items()}

    assert {
        kind: calls
        for kind, calls in told.items()
        if not calls or any(action not in tools.TOOLS[tool].actions for tool, action in calls)
    } == {}


def test_no_comment_puts_work_off() -> None:
    def put_off(path: Path) -> list[str]:
        text = path.read_text(encoding="utf-8")
        if not PUT_OFF.search(text):
            return []
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return [t.string for t in tokens if t.type == tokenize.COMMENT and PUT_OFF.search(t.string)]

    assert offenders(put_off, [*FILES, *sorted((ROOT / "scripts").glob("*.py"))]) == {}


def writes(statement: ast.AST) -> bool:
    return isinstance(statement, ast.AsyncWith) and ast.unparse(statement.items[0].context_expr).startswith(
        "call.write("
    )


def test_an_action_has_one_transaction_and_waits_for_nothing_behind_it() -> None:
    def wrong(path: Path) -> list[str]:
        return [f.name for f in functions(path) if not writes_once_and_last(f)]

    assert offenders(wrong, [path for path in FILES if room_of(path) == "tools"]) == {}


def writes_once_and_last(function: Function) -> bool:
    places = [place for place, statement in enumerate(function.body) if writes(statement)]
    behind = [node for rest in function.body[places[0] + 1 :] for node in ast.walk(rest)] if places else []
    waits = any(isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor) for node in behind)
    return not waits and len(places) == sum(map(writes, ast.walk(function))) <= 1


def test_no_room_is_called_after_nothing_in_particular() -> None:
    vague = {"utils", "util", "helpers", "services", "managers", "misc", "core"}

    assert vague.isdisjoint(part for path in FILES for part in name_of(path).split("/"))


def test_a_module_says_what_lives_in_it() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree(path))] == []


def test_a_test_file_has_a_name_of_its_own() -> None:
    """Two of one name cannot be collected in one run."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        homes[path.name].append(path.relative_to(ROOT).as_posix())

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}
