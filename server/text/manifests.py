"""What the files that describe a project say of it: how it is built and tested, and what it is made with.

They come from whoever wrote the project: what cannot be read says nothing, and none of their text becomes a command.
"""

import json
import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

Texts = Mapping[str, str]  # the files of the project folder that are known here, by name

PACKAGE, PYPROJECT = "package.json", "pyproject.toml"
# What each file tells: the type of the build, the command that builds, the one that runs what is being developed.
BUILDS: dict[str, tuple[str, str | None, str | None]] = {
    "Cargo.toml": ("cargo", "cargo build", "cargo run"),
    "go.mod": ("go", "go build ./...", None),
    "pom.xml": ("maven", "mvn package", None),
    "build.gradle": ("gradle", "gradle build", None),
    "build.gradle.kts": ("gradle", "gradle build", None),
    "mix.exs": ("mix", "mix compile", None),
    "Package.swift": ("swift", "swift build", "swift run"),
    "build.sbt": ("sbt", "sbt compile", None),
    "CMakeLists.txt": ("cmake", "cmake --build build", None),
    "meson.build": ("meson", "meson compile -C build", None),
    PYPROJECT: ("python", "python -m build", None),
    "setup.py": ("setuptools", "python -m build", None),
    "composer.json": ("composer", None, None),
    "Gemfile": ("bundler", None, None),
    "Makefile": ("make", "make", None),
}
# Files that lead to a test framework by being there: its name and its command.
TESTS = {
    "vitest.config.ts": ("vitest", "npx vitest run"),
    "vitest.config.js": ("vitest", "npx vitest run"),
    "jest.config.ts": ("jest", "npx jest"),
    "jest.config.js": ("jest", "npx jest"),
    "pytest.ini": ("pytest", "pytest"),
    "phpunit.xml": ("phpunit", "vendor/bin/phpunit"),
    ".rspec": ("rspec", "bundle exec rspec"),
    "Cargo.toml": ("cargo test", "cargo test"),
    "go.mod": ("go test", "go test ./..."),
    "mix.exs": ("ExUnit", "mix test"),
}
TEST_PACKAGES = ("vitest", "jest", "mocha", "ava", "@playwright/test", "cypress", "pytest", "rspec", "phpunit")
LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipenv",
    "Cargo.lock": "cargo",
    "go.sum": "go",
    "Gemfile.lock": "bundler",
    "composer.lock": "composer",
    "mix.lock": "mix",
}
MANAGERS = {
    PACKAGE: "npm", PYPROJECT: "pip", "requirements.txt": "pip", "setup.py": "pip", "Cargo.toml": "cargo",
    "go.mod": "go", "Gemfile": "bundler", "composer.json": "composer", "mix.exs": "mix", "pom.xml": "maven",
    "build.gradle": "gradle", "build.gradle.kts": "gradle",
}  # fmt: skip
FRAMEWORKS = {
    "next": "Next.js", "nuxt": "Nuxt", "react": "React", "react-native": "React Native", "vue": "Vue",
    "svelte": "Svelte", "@angular/core": "Angular", "solid-js": "Solid", "express": "Express", "fastify": "Fastify",
    "@nestjs/core": "NestJS", "electron": "Electron", "vite": "Vite", "tailwindcss": "Tailwind CSS", "astro": "Astro",
    "django": "Django", "flask": "Flask", "fastapi": "FastAPI", "starlette": "Starlette", "sqlalchemy": "SQLAlchemy",
    "pydantic": "Pydantic", "aiohttp": "aiohttp", "torch": "PyTorch", "tensorflow": "TensorFlow", "numpy": "NumPy",
    "pandas": "pandas", "mcp": "MCP", "rails": "Rails", "sinatra": "Sinatra", "laravel/framework": "Laravel",
    "symfony/framework-bundle": "Symfony", "axum": "Axum", "actix-web": "Actix Web", "tokio": "Tokio",
    "rocket": "Rocket", "tauri": "Tauri", "github.com/gin-gonic/gin": "Gin", "github.com/labstack/echo": "Echo",
    "org.springframework.boot": "Spring Boot", "phoenix": "Phoenix",
}  # fmt: skip
OTHERS = ("requirements.txt", "requirements-dev.txt", "setup.cfg", "tox.ini", ".editorconfig", ".prettierrc")
READ = {PACKAGE, *BUILDS, *OTHERS}  # what is worth reading; of the others it is enough that they are there
# A name at the start of a line or of a quoted text, as the lists of dependencies have them.
NAMED = re.compile(r"""(?m)(?:^[ \t]*(?:gem[ \t]+)?["']?|["'{]:?)(@?[A-Za-z][A-Za-z0-9._/-]*)""")
SECTION = re.compile(r"^[ \t]*\[([^\]\n]*)\]|^[ \t]*([a-z_]+)[ \t]*=[ \t]*([^\n#;]*)", re.MULTILINE)


def build_system(names: Set[str], texts: Texts) -> dict[str, str] | None:
    """Return how a project is built. `names` is what its folder holds."""
    if PACKAGE in names:
        return _node(names, _package(texts))
    config = next((name for name in BUILDS if name in names), None)
    if config is None:
        return None
    type_, build, dev = BUILDS[config]
    return _known(type=type_, config_file=config, build_command=build, dev_command=dev)


def _node(names: Set[str], package: Mapping[str, Any]) -> dict[str, str]:
    manager = package_manager(names) or "npm"
    scripts = _object(package, "scripts")
    dev = next((name for name in ("dev", "start", "serve") if name in scripts), None)
    return _known(
        type=manager,
        config_file=PACKAGE,
        build_command=f"{manager} run build" if "build" in scripts else None,
        dev_command=f"{manager} run {dev}" if dev else None,
    )


def package_manager(names: Set[str]) -> str | None:
    """Return what a project gets its packages with: what has locked them, else what reads its manifest."""
    return next((found for file, found in {**LOCKS, **MANAGERS}.items() if file in names), None)


def test_framework(names: Set[str], texts: Texts, folders: Iterable[str]) -> dict[str, str] | None:
    """Return how a project is tested. `folders` are those that look as if tests were in them, the likeliest first."""
    config = next((name for name in TESTS if name in names), None)
    name, command = TESTS[config] if config else (None, None)
    if PYPROJECT in names and "[tool.pytest" in texts.get(PYPROJECT, "") and config not in TESTS:
        name, command, config = "pytest", "pytest", PYPROJECT
    if name is None:
        used = dependencies(texts)
        name = next((package for package in TEST_PACKAGES if package in used), None)
        command = name if name == "pytest" else None
    if PACKAGE in names and "test" in _object(_package(texts), "scripts"):
        name, command = name or "npm test", f"{package_manager(names) or 'npm'} test"
    if name is None:
        return None
    return _known(name=name, config_file=config, test_command=command, test_directory=next(iter(folders), None))


def frameworks(texts: Texts) -> list[str]:
    """Return the frameworks among the dependencies of a project."""
    used = dependencies(texts)
    return [shown for name, shown in FRAMEWORKS.items() if name in used]


def dependencies(texts: Texts) -> set[str]:
    """Return the names in the files that list dependencies; some words that are none are among them."""
    package = _package(texts)
    found = {name for part in ("dependencies", "devDependencies") for name in _object(package, part)}
    for file, text in texts.items():
        if file != PACKAGE:
            found |= {match[1].lower() for match in NAMED.finditer(text)}
            found |= set(re.findall(r"(?:github\.com/[\w.-]+/[\w.-]+|org\.springframework\.boot)", text))
    return found


def stated_style(texts: Texts) -> dict[str, str | int | bool]:
    """Return the conventions that the files of a project state."""
    every = _pairs(texts.get(".editorconfig", ""))
    python = texts.get(PYPROJECT, "")
    prettier = _parsed(texts.get(".prettierrc", ""))
    length = re.search(r"(?m)^[ \t]*line[-_]length[ \t]*=[ \t]*(\d{1,4})[ \t]*$", python)
    found: dict[str, object] = {
        "indentation": {"space": "spaces", "tab": "tabs"}.get(every.get("indent_style", "")),
        "indent_size": _number(every.get("indent_size")) or _number(prettier.get("tabWidth")),
        "quote_style": {True: "single", False: "double"}.get(cast(bool, _flag(prettier.get("singleQuote")))),
        "semicolons": _flag(prettier.get("semi")),
        "line_endings": {"lf": "lf", "crlf": "crlf"}.get(every.get("end_of_line", "")),
        "max_line_length": _number(every.get("max_line_length"))
        or (int(length[1]) if length else _number(prettier.get("printWidth"))),
    }
    return cast(dict[str, str | int | bool], {name: value for name, value in found.items() if value is not None})


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,3}", text) else None


def _pairs(text: str) -> dict[str, str]:
    """Return what an .editorconfig says of all files."""
    found: dict[str, str] = {}
    holds = False
    for match in SECTION.finditer(text):
        if match[1] is not None:
            holds = match[1] == "*"
        elif holds:
            found[match[2]] = match[3].strip().lower()
    return found


def _package(texts: Texts) -> dict[str, Any]:
    return _parsed(texts.get(PACKAGE, ""))


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _object(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return cast(dict[str, Any], part) if isinstance(part, dict) else {}


def _known(**facts: str | None) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact is not None}
