"""How these commands are called."""

from typing import Annotated

import typer

from server.cli.app import ANSWER, SET_UP, AsJson, app

WhatWaits = Annotated[str, typer.Argument(metavar="ID", help="whole id of an approval, a step or a phase")]
Note = Annotated[str | None, typer.Option("--note", help="what to tell whoever asked")]


@app.command("approvals", rich_help_panel=ANSWER)
def show_approvals(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List what waits for your word, and how to give it."""
    from server.cli.answers import confirm

    raise typer.Exit(confirm.show(context.obj, as_json=as_json))


@app.command("confirm", rich_help_panel=ANSWER)
def say_yes(context: typer.Context, wanted: WhatWaits, *, note: Note = None) -> None:
    """Say yes to what waits for a person, or was rejected.

    A code that is shown has to be typed back.
    """
    from server.cli.answers import confirm

    raise typer.Exit(confirm.answer(context.obj, wanted, yes=True, note=note))


@app.command("reject", rich_help_panel=ANSWER)
def say_no(context: typer.Context, wanted: WhatWaits, *, note: Note = None) -> None:
    """Say no to what waits for a person.

    Whoever asked is told, with the note, and does not ask again at once. A code that is shown has to be typed back.
    """
    from server.cli.answers import confirm

    raise typer.Exit(confirm.answer(context.obj, wanted, yes=False, note=note))


config_app = typer.Typer(help="Read and change what all servers of a database share.", rich_markup_mode=None)
app.add_typer(config_app, name="config", rich_help_panel=SET_UP)
Key = Annotated[str, typer.Argument(metavar="KEY", help="name of a setting, as `config list` shows it")]


@config_app.command("get")
def get_setting(context: typer.Context, key: Key) -> None:
    """Print a setting."""
    from server.cli.answers import config

    raise typer.Exit(config.get(context.obj, key))


@config_app.command("set")
def set_setting(context: typer.Context, key: Key, value: Annotated[str, typer.Argument(metavar="VALUE")]) -> None:
    """Change a setting.

    What loosens a rule takes a person, who types a code back.
    """
    from server.cli.answers import config

    raise typer.Exit(config.set_(context.obj, key, value))


@config_app.command("list")
def list_settings(context: typer.Context) -> None:
    """Print every setting, who set it, and what it means."""
    from server.cli.answers import config

    raise typer.Exit(config.list_(context.obj))
