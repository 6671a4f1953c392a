"""`service`: the server started by the system when its user logs in."""

import plistlib
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from xml.sax.saxutils import escape

from server import files
from server.cli import person
from server.cli.setup.launching import LaunchCommand, arguments_of, launch
from server.errors import Conflict, InvalidArguments, NotAllowed
from server.settings import Flags, Settings, load

NAME = "project-memory"
LABEL = "io.project-memory.serve"
OURS = "written by project-memory service install"
UNIT = """\
# {ours}
[Unit]
Description=Project Memory over HTTP

[Service]
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
TimeoutStopSec=5

[Install]
WantedBy=default.target
"""
TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<!-- {ours} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Principals><Principal id="Author"><LogonType>InteractiveToken</LogonType></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
  </Settings>
  <Actions Context="Author"><Exec><Command>{program}</Command><Arguments>{arguments}</Arguments></Exec></Actions>
</Task>
"""


@dataclass(frozen=True)
class ServiceFile:
    """What a system reads to start the server, where it is, and how the system is told of it and made forget it."""

    path: Path
    text: str
    load: str
    unload: str
    encoding: str = "utf-8"


def install(flags: Flags, *, yes: bool) -> int:
    """Show what would be written, and write it once a person says so."""
    wanted = _here(flags)
    print(f"{wanted.path}:", wanted.text, sep="\n")
    for line in checked(wanted, sys.platform):
        print(line)
    if wanted.path.exists() and not _is_ours(wanted):
        raise Conflict(f"{str(wanted.path)!r} is there and not of ours. Move it away first.")
    if not yes and not (sys.stdin.isatty() and person.says_yes("Write it?")):
        raise NotAllowed("Nothing was written. With --yes it is, without a question.")
    files.replace(wanted.path, wanted.text.encode(wanted.encoding))
    print(f"Written. To start it now and at every login: {wanted.load}")
    return 0


def uninstall(flags: Flags) -> int:
    """Remove what was written."""
    wanted = _here(flags)
    if not wanted.path.exists():
        print(f"Nothing is installed at {wanted.path}.")
        return 0
    if not _is_ours(wanted):
        raise Conflict(f"{str(wanted.path)!r} is not of ours. It was not removed.")
    wanted.path.unlink()
    print(f"Removed {wanted.path}. To end what it started: {wanted.unload}")
    return 0


def status(flags: Flags) -> int:
    """Print what is installed. Exit code: 0 as it would be written now, 1 otherwise."""
    wanted = _here(flags)
    if not wanted.path.exists():
        print(f"Nothing is installed at {wanted.path}.")
        return 1
    same = wanted.path.read_bytes() == wanted.text.encode(wanted.encoding)
    print(f"{wanted.path}: " + ("installed" if same else "installed, but not as it would be written now"))
    return 0 if same else 1


def _here(flags: Flags) -> ServiceFile:
    return service_file(load(flags), arguments_of(flags), sys.platform, Path.home())


def service_file(settings: Settings, chosen: list[str], platform: str, home: Path) -> ServiceFile:
    """Return what the system of a platform reads; `chosen` are the settings of the server, as arguments."""
    start = launch()
    root = [] if "--data-root" in chosen else ["--data-root", str(settings.data_root)]
    words = [start.command, *start.args, *root, *chosen, "serve"]
    if strange := next((word for word in words if not word.isprintable()), None):
        raise InvalidArguments(f"{strange!r} cannot stand in a file of the system.")
    if platform == "darwin":
        return _agent(home, start, words)
    if platform == "win32":
        return _task(settings, start, words)
    return _unit(home, start, words)


def _unit(home: Path, start: LaunchCommand, words: list[str]) -> ServiceFile:
    command = " ".join(map(_of_systemd, words))
    environment = "".join(f"Environment={_of_systemd(f'{name}={value}')}\n" for name, value in start.env.items())
    text = UNIT.format(ours=OURS, command=command, environment=environment)
    service = f"{NAME}.service"
    return ServiceFile(
        home / ".config/systemd/user" / service,
        text,
        f"systemctl --user daemon-reload && systemctl --user enable --now {service}",
        f"systemctl --user disable --now {service}",
    )


def _of_systemd(word: str) -> str:
    """Return a word as systemd reads it: `%` and `$` mean something there."""
    inner = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{inner}"'


def _agent(home: Path, start: LaunchCommand, words: list[str]) -> ServiceFile:
    agent = {
        "Label": LABEL,
        "ProgramArguments": words,
        "EnvironmentVariables": start.env,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Background",
    }
    text = plistlib.dumps(agent).decode().replace("<plist", f"<!-- {OURS} -->\n<plist", 1)
    path = home / "Library/LaunchAgents" / f"{LABEL}.plist"
    place = shlex.quote(str(path))
    return ServiceFile(
        path, text, f"launchctl bootstrap gui/$(id -u) {place}", f"launchctl bootout gui/$(id -u)/{LABEL}"
    )


def _task(settings: Settings, start: LaunchCommand, words: list[str]) -> ServiceFile:
    if start.env:
        raise InvalidArguments("A task of Windows sets no environment: install the package first, with pip or uv.")
    arguments = subprocess.list2cmdline(words[1:])
    text = TASK.format(ours=OURS, program=escape(words[0]), arguments=escape(arguments))
    path = settings.data_root / "serve" / f"{NAME}-task.xml"
    return ServiceFile(
        path,
        text,
        f'schtasks /Create /TN "{NAME}" /XML {subprocess.list2cmdline([str(path)])} && schtasks /Run /TN "{NAME}"',
        f'schtasks /Delete /TN "{NAME}" /F',
        encoding="utf-16",
    )


def checked(wanted: ServiceFile, platform: str) -> list[str]:
    """Have the system's own program look at what would be written; return what is to be said of that."""
    if platform == "darwin":
        plistlib.loads(wanted.text.encode())
        return ["It is a property list that can be read."]
    program = which("systemd-analyze")
    if platform == "win32" or program is None:
        return ["Nothing here can check it: it was not run on this machine."]
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, wanted.path.name)
        files.replace(draft, wanted.text)
        ran = subprocess.run([program, "--user", "verify", str(draft)], capture_output=True, text=True, check=False)
    if ran.returncode:
        return ["systemd-analyze verify has a word on it:", ran.stderr.strip()]
    return ["systemd-analyze verify finds nothing wrong with it."]


def _is_ours(wanted: ServiceFile) -> bool:
    try:
        return OURS in wanted.path.read_text(encoding=wanted.encoding)
    except (OSError, ValueError):
        return False
