"""A person at a terminal: what only a human may do asks for a code that is shown there and typed back."""

import os
import secrets
import select
import signal
import sys
from collections.abc import Mapping, Sequence

from server.db.storage.lock_holder import describe
from server.errors import NotAllowed
from server.models.approvals import Word
from server.processes import MARKER
from server.text.display import shown

# Set by what runs commands for agents; those that end in * stand for all that begin so.
AGENT_SIGNS = (
    "AI_AGENT", "AIDER_*", "AMP_*", "CLAUDECODE", "CLAUDE_CODE_*", "CODEX_*", "COPILOT_AGENT*", "COPILOT_CLI*",
    "CURSOR_AGENT", "GEMINI_CLI*", "OPENCODE*", "QWEN_CODE*", "REPL_ID", "WINDSURF_AGENT*",
)  # fmt: skip
SETUP = ("CODEX_HOME",)  # a person's own, for where the program keeps its files
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that looks like something else
LENGTH = 4


def ask(lines: Sequence[str], verb: str, note: str | None = None) -> Word:
    """Show a question and return the word of the person who types the code back, or refuse."""
    refuse_agents(verb)
    for line in lines:
        print(shown(line))
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    print(f"Type {code} to {verb}, anything else to leave it: ", end="", flush=True)
    if _typed().upper() != code:
        raise NotAllowed("That was not the code. Nothing was changed.")
    return Word("terminal", client=f"started by {describe(os.getppid())}", note=note)


def agree(*, yes: bool) -> None:
    """Go on if a person at a terminal says so, or said so before; else refuse. For what needs no person by rule."""
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotAllowed("Nobody can be asked here, so nothing was changed. Add --yes to do it.")
    if not says_yes("Go on?"):
        raise NotAllowed("Nothing was changed.")


def says_yes(question: str) -> bool:
    """Ask, and return whether the answer is a yes."""
    print(f"{question} [y/N] ", end="", flush=True)
    return _typed().lower() in ("y", "yes")


def _typed() -> str:
    if sys.platform != "win32":
        _wait_for_line()
    return sys.stdin.readline().strip()


def _wait_for_line() -> None:
    """Wait until a line is there, or Ctrl-C: Python would not notice one that comes just before a read begins."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    before = signal.set_wakeup_fd(waking)
    try:
        while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
            os.read(woken, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(waking)


def refuse_agents(verb: str) -> None:
    """Refuse, unless there is a terminal of a person's own and no sign of an agent."""
    if refused := refusal(verb):
        raise refused


def refusal(verb: str) -> NotAllowed | None:
    """Return why no person can be asked here, or None."""
    if sign := sign_of_an_agent(os.environ):
        return NotAllowed(
            f"Only a person may {verb}, and {sign} in the environment says that an agent runs this. "
            "Open a terminal of your own and run the same command there."
        )
    if not _is_terminal():
        return NotAllowed(
            f"Only a person may {verb}, in a terminal: here stdin or stdout is a pipe, a file or another session's. "
            "Open a terminal and run the same command there."
        )
    return None


def sign_of_an_agent(environ: Mapping[str, str]) -> str | None:
    """Return the name of a variable that whoever runs commands for an agent sets."""
    return next((name for name in sorted(environ) if environ[name] and _is_sign(name)), None)


def _is_sign(name: str) -> bool:
    exact = name in AGENT_SIGNS or name == MARKER
    begins = any(name.startswith(sign[:-1]) for sign in AGENT_SIGNS if sign.endswith("*"))
    return (exact or begins) and name not in SETUP


def _is_terminal() -> bool:
    """Whether stdin and stdout are the terminal that controls this process, which it may write to now."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream and stream.isatty() for stream in streams):  # one that was closed before the start is None
        return False
    if sys.platform == "win32":
        return True
    try:
        own = os.ttyname(sys.stdin.fileno()) == os.ttyname(sys.stdout.fileno())
        return own and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # it is the controlling terminal of others
        return False
