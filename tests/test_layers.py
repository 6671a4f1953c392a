"""Who may import whom, and the measures every file keeps."""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from server import tools
from server.db.context import context_items
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
    "confined": {"errors", "files"},
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
    "web": BEHIND | {"protocol"},
    "cli": BEHIND | {"file_locks", "web", "aliases", "importers", "upkeep", "jobs", "protocol", "completion"},
    "__main__": {"errors", "settings", "text", "protocol", "cli", "completion"},
    "__init__": set[str](),
}

# Where a package of others may be imported; one that is not named here may be imported nowhere.
THIRD_PARTY = {
    "mcp": {"protocol", "cli/demo", "cli/setup/checking", "web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "jinja2": {"web"},
    "markdown_it": {"web"},
    "sqlite3": {"db/storage"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pydantic": {"models", "registry", "tools"},
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
    "ruamel": {"text/front_matter"},
}
ANY_SQL = re.compile(
    r"\b(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|CREATE\s+(TABLE|INDEX)\b|PRAGMA\b"
    r"|BEGIN IMMEDIATE|ORDER\s+BY\b|GROUP\s+BY\b|LEFT\s+JOIN\b|WHERE\s+\w+\s*=)"
)
A_TOOL = re.compile(r"\bmemory_[a-z]+\b")
# What imports late besides the command line: a server answers first, and most never need the rest.
LATE = ("jobs/background", "db/storage/migrations", "text/front_matter", "protocol/stdio", "protocol/loop")
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


def imported(path: Path) -> Iterator[str]:
    """The dotted names of all modules that a file imports, wherever the import stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno} imports relatively"
            if node.module.startswith("server"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def docstrings(path: Path) -> set[ast.AST]:
    holders = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Module | ast.ClassDef | Function) and n.body]
    firsts = [holder.body[0] for holder in holders]
    return {first.value for first in firsts if isinstance(first, ast.Expr)}


def texts(path: Path) -> Iterator[ast.Constant]:
    """Every string of the code, but for the docstrings."""
    told = docstrings(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node


def by_name(path: Path) -> str:
    return name_of(path)


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    own = [module.split(".")[1:] for module in imported(path) if module.split(".")[0] == "server"]
    rooms = {parts[0] for parts in own if parts and not parts[0].startswith("__")}

    assert room in ROOMS, f"{room} is new: say in ROOMS what it may import"
    assert rooms - {room} <= ROOMS[room]


@pytest.mark.parametrize("path", [path for path in FILES if re.match(r"tools/\w+/", name_of(path))], ids=by_name)
def test_no_tool_leans_on_another(path: Path) -> None:
    tool = path.parent.name
    others = {
        parts[2] for parts in (module.split(".") for module in imported(path)) if parts[:2] == ["server", "tools"]
    }
    packages = {place.parent.name for place in (SERVER / "tools").glob("*/tool.py")}

    assert others & packages <= {tool}


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_foreign_package_is_imported_only_where_it_belongs(path: Path) -> None:
    foreign = {module.split(".")[0] for module in imported(path)} - set(sys.stdlib_module_names) - {"server"}
    foreign |= {"sqlite3"} & {module.split(".")[0] for module in imported(path)}
    places = {
        name_of(path),
        *(parent.relative_to(SERVER).as_posix() for parent in path.parents if parent.is_relative_to(SERVER)),
    }

    assert {package for package in foreign if not places & THIRD_PARTY.get(package, set())} == set()


def test_no_module_imports_itself_around_corners() -> None:
    modules = {f"server.{name_of(path).replace('/', '.').removesuffix('.__init__')}": path for path in FILES}
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        for target in imported(path):
            known = target if target in modules else target.rpartition(".")[0]
            if known in modules and known not in (module, "server"):
                graph[module].add(known)

    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_imports_stand_at_the_top(path: Path) -> None:
    late = [n.lineno for f in functions(path) for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]

    assert not late or room_of(path) in ("cli", "__main__") or name_of(path) in LATE


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(path)}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_function_and_its_parameters_are_annotated(path: Path) -> None:
    bare = [
        f"{f.name}({a.arg})"
        for f in functions(path)
        for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs, f.args.vararg, f.args.kwarg)
        if a and a.annotation is None and a.arg not in ("self", "cls")
    ]

    assert bare + [f.name for f in functions(path) if f.returns is None] == []


FOLDERS = sorted({path.parent for path in FILES} - {SERVER / "models"})  # there, each family has one


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_folder_holds_no_more_modules_than_one_can_overlook(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


def test_a_class_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name_of(path))

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_the_tool_call_boundary_is_the_only_broad_except() -> None:
    broad = [
        name_of(path)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or any(isinstance(n, ast.Name) and n.id == "Exception" for n in ast.walk(node.type)))
    ]

    assert broad == ["protocol/state"]


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_who_catches_everything_raises_it_again(path: Path) -> None:
    handlers = [n for n in ast.walk(tree(path)) if isinstance(n, ast.ExceptHandler) and isinstance(n.type, ast.Name)]
    swallowed = [
        h.lineno
        for h in handlers
        if isinstance(h.type, ast.Name) and h.type.id == "BaseException" and not isinstance(h.body[-1], ast.Raise)
    ]

    assert swallowed == []


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    printed = [n.lineno for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]

    assert not printed or room_of(path) == "cli"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) not in ("db", "cli")], ids=by_name)
def test_sql_stands_only_in_db(path: Path) -> None:
    found = [f"{node.lineno}: {node.value}" for node in texts(path) if ANY_SQL.search(str(node.value))]

    assert found == []


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in ("db", "exporters", "models", "text")], ids=by_name)
def test_what_knows_no_tool_names_none(path: Path) -> None:
    found = [
        f"{node.lineno}: {node.value}"
        for node in texts(path)
        if set(A_TOOL.findall(str(node.value))) & set(tools.TOOLS)
    ]

    assert found == []


def test_each_kind_that_an_error_is_about_has_a_call_that_helps() -> None:
    calls = [n for path in FILES if room_of(path) == "db" for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
    listed = [n.args[1] for n in calls if isinstance(n.func, ast.Name) and n.func.id == "not_found"]
    helped = [n.args[0] for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "about"]

    assert {n.value for n in listed if isinstance(n, ast.Constant)} | set(context_items.NEAR) == set(LISTERS)
    assert {n.value for n in helped if isinstance(n, ast.Constant)} == set(WAYS)


def test_the_calls_that_complete_an_error_exist() -> None:
    told = {kind: re.findall(r"(memory_\w+) action='(\w+)'", text) for kind, text in {**LISTERS, **WAYS}.items()}

    assert {
        kind: calls
        for kind, calls in told.items()
        if not calls or any(action not in tools.TOOLS[tool].actions for tool, action in calls)
    } == {}


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "scripts").glob("*.py"))], ids=lambda path: path.name)
def test_no_comment_puts_work_off(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    comments = [t.string for t in tokens if t.type == tokenize.COMMENT]

    assert [c for c in comments if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", c)] == []


def writes(statement: ast.AST) -> bool:
    return isinstance(statement, ast.AsyncWith) and ast.unparse(statement.items[0].context_expr) == "call.write()"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) == "tools"], ids=by_name)
def test_an_action_has_one_transaction_and_waits_for_nothing_behind_it(path: Path) -> None:
    for function in functions(path):
        places = [place for place, statement in enumerate(function.body) if writes(statement)]
        behind = [node for rest in function.body[places[0] + 1 :] for node in ast.walk(rest)] if places else []

        assert len(places) == sum(map(writes, ast.walk(function))) <= 1
        assert [node.lineno for node in behind if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor)] == []


def test_no_room_is_called_after_nothing_in_particular() -> None:
    vague = {"utils", "util", "helpers", "services", "managers", "misc", "core"}

    assert vague.isdisjoint(part for path in FILES for part in name_of(path).split("/"))


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_module_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(tree(path))
