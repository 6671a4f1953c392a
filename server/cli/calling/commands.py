"""How these commands are called."""

from typing import Annotated, Literal

import typer

from server.cli.app import SET_UP, WORK, app

Shell = Literal["bash", "zsh", "fish"]
Words = Annotated[list[str] | None, typer.Argument(metavar="TOOL ACTION NAME=VALUE", show_default=False)]
# Its own --help explains an action, and an option that it does not have is a parameter that somebody wrote as one.
OWN_HELP = {"help_option_names": list[str](), "ignore_unknown_options": True}


@app.command("call", rich_help_panel=WORK, context_settings=OWN_HELP)
def call_action(
    context: typer.Context,
    words: Words = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the exact answer")] = False,
    listed: Annotated[bool, typer.Option("--list", help="list the tools, or the actions of TOOL")] = False,
    explained: Annotated[bool, typer.Option("--help", "-h", help="explain ACTION, TOOL, or this command")] = False,
) -> None:
    """Run any action of any tool, as agents do.

    It is run as the agent `cli`; what needs a person asks for a code that is shown.

    A value is text, a number, true or false, or JSON, as the action wants it; a list may also be its name several
    times. `@FILE` is what a file holds, `-` what comes from stdin, and `@@` begins a text that begins with `@`. TOOL
    may do without its `memory_`. Exit code: 0 done, 1 an error answer, 2 not called as it has to be.
    """
    if explained and not words:
        print(context.get_help())
        raise typer.Exit
    if listed or explained:
        from server.cli.calling import listing

        raise typer.Exit(listing.run(words or [], context.obj, explained=explained))
    from server.cli.calling import call

    raise typer.Exit(call.run(words or [], context.obj, as_json=as_json))


@app.command("completion", rich_help_panel=SET_UP)
def print_completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish")]) -> None:
    """Print what lets a shell complete what you type.

    Commands and options, and of `call` the tools, actions and parameters.

    bash: source <(project-memory completion bash), in ~/.bashrc. zsh: the same with zsh, in ~/.zshrc, behind compinit.
    fish: project-memory completion fish > ~/.config/fish/completions/project-memory.fish
    """
    from server.cli.calling import shells

    print(shells.SCRIPTS[shell], end="")
