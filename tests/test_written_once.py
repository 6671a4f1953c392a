"""What is done in one way stands once: no two modules hold functions of one body."""

import ast
from collections import defaultdict

from server.settings import PACKAGE

SHORTEST = 70  # characters of a body that two functions have by more than chance


def test_no_function_is_written_twice() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(body := _body(node)) >= SHORTEST:
                homes[body].add(f"{file.relative_to(PACKAGE)}: {node.name}")

    assert len(homes) > 1000
    assert [sorted(named) for named in homes.values() if len(named) > 1] == []


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what a function does, with its parameters named alike in all functions."""
    told = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    numbers = {name: f"_{number}" for number, name in enumerate(told)}
    copied = ast.parse(ast.unparse(function)).body[0]
    assert isinstance(copied, ast.FunctionDef | ast.AsyncFunctionDef)
    for node in ast.walk(copied):
        if isinstance(node, ast.Name):
            node.id = numbers.get(node.id, node.id)
    return "\n".join(ast.unparse(line) for line in copied.body if not _is_docstring(line))


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
