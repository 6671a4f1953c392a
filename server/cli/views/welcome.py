"""What `status` says while there is nothing to show: the first things to do."""

from server.cli.screen import Screen
from server.settings import Settings
from server.tools.commands import command
from server.tools.paths import cwd


def draw(screen: Screen, chosen: Settings) -> None:
    """Tell the first three things to do, as commands that work here."""
    screen.heading("Nothing is stored yet.", " Three things to do first:")
    for number, (words, why) in enumerate(first_steps(chosen), 1):
        screen.line(f"{number}. {why}:", indent=2)
        screen.unbroken(words, indent=5)


def first_steps(chosen: Settings) -> list[tuple[str, str]]:
    """Return commands, and what each is for."""
    return [
        (command(chosen, "setup"), "See which editors are here, and put this server into them"),
        (
            command(chosen, "call", "memory_workspace", "register", f"workspace_path={cwd()}"),
            "Make the folder you are in a workspace (an agent does the same when you ask it to)",
        ),
        (command(chosen, "status", "--watch"), "Ask an agent for a plan, and watch it here"),
    ]
