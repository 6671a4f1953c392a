"""Every setting, once: its name, environment variable, flag, default and meaning."""

import argparse
import difflib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import platformdirs

from server.errors import InvalidArguments, Storage
from server.text.display import shown

PACKAGE = Path(__file__).resolve().parent
ASSETS = PACKAGE / "_assets" if (PACKAGE / "_assets").is_dir() else PACKAGE.parent
DATABASE_NAME = "project-memory.db"
TRASH = "trash"  # in the data root: files that were overwritten or removed, and are too large for a row
COPIES = "older-stores"  # in the data root: stores that were copied before they were imported
BACKUPS = "backups"  # in the data root: copies of the database
PROCESSES = "processes"  # in the data root: a file for each process that uses the database
EDITORS = "editor-files"  # in the data root: files of editors as they were before `setup` changed them
SERVE = "serve"  # in the data root: what `serve` keeps: where it listens, its key, its log
FOLDERS = (TRASH, COPIES, BACKUPS, PROCESSES, EDITORS, SERVE)
MOVED_TO = "moved-to"  # in a folder that was the data root: a file with the path of the one that is it now
LOCK = "project-memory.lock"  # in the data root: who uses the database
ASK = "__complete"  # the first word when a shell asks how a command line may go on
LOG_LEVELS = ("debug", "info", "warning", "error")
SYNCHRONOUS = ("full", "normal")
GATES = ("shared", "human")  # an environment may be stricter than what all share, never looser
YES = ("1", "true", "yes", "on")
DIGITS = re.compile(r"[0-9]{1,18}")
NO = ("0", "false", "no", "off", "")
MISSPELT = 0.85  # how alike two names are, from 0 to 1
LONGEST_TIMEOUT = 365 * 86_400
Flags = Mapping[str, str]


@dataclass(frozen=True)
class Setting:
    """One setting; `choices` empty means any text, `flag_only` that its flag says yes, `most` a number."""

    name: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()
    flag_only: bool = False
    most: int = 0

    @property
    def env(self) -> str:
        return f"PM_{self.name.upper()}"

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"


SETTINGS = (
    Setting("data_root", "", f"folder of {DATABASE_NAME} (default: the platform's user data folder)"),
    Setting("workspace", "", "workspace id or path for calls that name none"),
    Setting("tools", "", "comma-separated tools to offer, or the groups core and all (default: all)"),
    Setting("read_only", "", "refuse every write", flag_only=True),
    Setting(
        "session_timeout",
        "3600",
        "seconds of silence after which a session without a claim is over",
        most=LONGEST_TIMEOUT,
    ),
    Setting("synchronous", "full", "full survives power loss, normal is faster", SYNCHRONOUS),
    Setting("log_level", "warning", "what goes to stderr", LOG_LEVELS),
    Setting("mirror", "", "folder that holds every plan as a JSON document as well (default: none)"),
    Setting("auto_import", "", "import stores of other programs, and older ones, of a project folder", flag_only=True),
    Setting("gates", "shared", "who opens gates: as the shared setting says, or human, whatever it says", GATES),
)


@dataclass(frozen=True)
class Settings:
    """The settings of one process."""

    data_root: Path
    workspace: str = ""
    tools: tuple[str, ...] = ()
    read_only: bool = False
    session_timeout: int = 3600
    synchronous: str = "full"
    log_level: str = "warning"
    mirror: Path | None = None
    auto_import: bool = False
    gates: str = "shared"

    @property
    def database(self) -> Path:
        return self.data_root / DATABASE_NAME

    @property
    def trash(self) -> Path:
        return self.data_root / TRASH

    def require_database(self) -> None:
        """Refuse, for commands that would be of no use on a new one."""
        if not self.database.is_file():
            raise InvalidArguments(
                f"There is no database in {str(self.data_root)!r} yet. `project-memory status` says what to do first; "
                "if there is one elsewhere, name its folder with --data-root."
            )


class LogLines(logging.Formatter):
    """One line a record, whatever a folder or an agent is called; the lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the base class
        return shown(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name of the base class
        return "\n".join(f"  {shown(line)}" for line in super().formatException(ei).split("\n"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidArguments(f"{message}. --help lists every setting.")


def split(argv: Sequence[str]) -> tuple[Flags, list[str]]:
    """Return the settings' flags of a command line, wherever they stand in it, and its other words."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for setting in SETTINGS:
        if setting.flag_only:
            parser.add_argument(setting.flag, dest=setting.name, action="store_const", const="1")
        else:
            parser.add_argument(setting.flag, dest=setting.name)
    flags, words = parser.parse_known_args(argv)
    return {name: value for name, value in vars(flags).items() if value is not None}, words


def load_existing(flags: Flags) -> Settings:
    """Return the settings for a command that would be of no use without a database."""
    settings = load(flags)
    settings.require_database()
    return settings


def load(flags: Flags | None = None, environ: Mapping[str, str] | None = None, *, serves: bool = False) -> Settings:
    """Return the settings: flags before environment before defaults.

    A data root that was moved to where it is not is an error, but to who `serves`: whose calls say so until it is back.
    """
    environ = os.environ if environ is None else environ
    _refuse_misspelt(environ)
    raw = {s.name: _value(s, (flags or {}).get(s.name), environ) for s in SETTINGS}
    return Settings(
        data_root=_led(_folder("data_root", raw["data_root"] or default_root()), serves=serves),
        workspace=raw["workspace"],
        tools=tuple(name.strip().lower() for name in raw["tools"].split(",") if name.strip()),
        read_only=raw["read_only"] in YES,
        session_timeout=int(raw["session_timeout"]),
        synchronous=raw["synchronous"],
        log_level=raw["log_level"],
        mirror=_folder("mirror", raw["mirror"]) if raw["mirror"] else None,
        auto_import=raw["auto_import"] in YES,
        gates=raw["gates"],
    )


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly one of ours: what it asks for would silently not be."""
    known = [setting.env for setting in SETTINGS]
    for name in environ.keys() - set(known):
        near = difflib.get_close_matches(name.upper(), known, 1, MISSPELT) if name.upper().startswith("PM_") else ()
        if near:
            raise InvalidArguments(f"The environment sets {name}, which is no setting. Did you mean {near[0]}?")


def default_root() -> str:
    """Return the data root of a server without settings."""
    return platformdirs.user_data_dir("project-memory", appauthor=False)


def followed(root: Path) -> Path:
    """Return where a data root is now that was moved, perhaps more than once.

    What cannot be told, or is not there, is Storage: nobody begins an empty one in its place.
    """
    roots = [root]
    while target := _moved_to(roots[-1]):
        if target in roots:
            raise Storage(
                f"{str(roots[-1] / MOVED_TO)!r} leads back to {str(target)!r}. Remove the file {MOVED_TO} in the "
                f"folder that {DATABASE_NAME} is in."
            )
        roots.append(target)
    if len(roots) > 1 and not (roots[-1] / DATABASE_NAME).is_file():
        raise Storage(
            f"The data root was moved to {str(roots[-1])!r}, as {str(roots[-2] / MOVED_TO)!r} says, and there is no "
            f"{DATABASE_NAME} in it now. Connect the disk that it is on; or, if it was moved again, write the new "
            "place into that file."
        )
    return roots[-1]


def require_in_force(root: Path) -> None:
    """Refuse a data root that was moved: to somewhere that is not there, or since this process began."""
    if (now := followed(root)) != root:
        raise Storage(f"The data root {str(root)!r} was moved to {str(now)!r} at this moment. Start this again.")


def leads_to(root: str, now: Path) -> bool:
    """Return whether a data root of that name is, or has become, another one."""
    try:
        return "\0" not in root and followed(Path(root)) == now
    except Storage:
        return False


def _led(root: Path, *, serves: bool) -> Path:
    """Return a data root, or where it was moved to."""
    try:
        return followed(root)
    except Storage:
        if not serves:
            raise
        return root


def _moved_to(root: Path) -> Path | None:
    file = root / MOVED_TO
    try:
        text = file.read_text(encoding="utf-8").removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if not os.access(root, os.X_OK):
            return None  # nothing in that folder can be opened
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Storage(f"{str(file)!r} says where the data root is now, and cannot be read: {why}. Mend it.") from error
    if not text.isprintable() or not Path(text).is_absolute():
        raise Storage(f"{str(file)!r} says where the data root is now, and holds no absolute path. Write it there.")
    return Path(text)


def is_ours(path: Path) -> bool:
    """Return whether something in a data root is this server's; a file store may have the same one."""
    if path.name in (BACKUPS, PROCESSES, SERVE):
        return path.with_name(DATABASE_NAME).exists()
    return path.name in (COPIES, TRASH, EDITORS, LOCK) or path.name.startswith(DATABASE_NAME)


def is_to_narrow(path: Path) -> bool:
    """Return whether something in a data root is a file or folder that this server made, by its name and its kind."""
    return is_ours(path) and (path.is_dir() if path.name in FOLDERS else path.is_file())


def configure_logging(settings: Settings, handler: logging.Handler | None = None) -> None:
    """Send the log to stderr, unless somewhere else; stdout belongs to the protocol."""
    handler = handler or logging.StreamHandler()
    handler.setFormatter(LogLines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def _value(setting: Setting, flag: str | None, environ: Mapping[str, str]) -> str:
    value = (flag if flag is not None else environ.get(setting.env) or setting.default).strip()
    if flag is not None and not value:
        raise InvalidArguments(f"{setting.flag} has no value. Leave it out for the default.")
    choices = (*YES, *NO) if setting.flag_only else setting.choices
    if choices and value.lower() not in choices:
        told = ", ".join(choice for choice in choices if choice)
        raise InvalidArguments(f"{setting.flag} (or {setting.env}) is {value!r}; it takes one of: {told}.")
    if setting.most and not (DIGITS.fullmatch(value) and 1 <= int(value) <= setting.most):
        problem = f"is {value!r}; it takes a whole number from 1 to {setting.most}"
        raise InvalidArguments(f"{setting.flag} (or {setting.env}) {problem}.")
    return value.lower() if choices else value


def _folder(name: str, text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        setting = next(setting for setting in SETTINGS if setting.name == name)
        raise InvalidArguments(f"{setting.flag} (or {setting.env}) is {text!r}: {error}") from error
