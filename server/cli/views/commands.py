"""How these commands are called."""

from typing import Annotated

import typer

from server.cli.app import ANSWER, SEE, AsJson, app

Everywhere = Annotated[bool, typer.Option("--all", "-a", help="all workspaces, and not only that of this folder")]
Most = Annotated[int | None, typer.Option("--limit", "-n", min=1, help="how many of each list")]
PlanName = Annotated[str | None, typer.Argument(metavar="PLAN", help="id of a plan, its end, or its title")]
OfPlan = Annotated[str | None, typer.Option("--plan", metavar="PLAN", help="only what is about one plan")]


@app.command("status", rich_help_panel=SEE)
def show_status(
    context: typer.Context,
    plan: PlanName = None,
    *,
    everywhere: Everywhere = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="stay, and show what changes; q leaves")] = False,
    limit: Most = None,
    as_json: AsJson = False,
) -> None:
    """Show what needs you, and where every plan or one stands."""
    from server.cli.views import status

    wanted = status.StatusRequest(plan, everywhere=everywhere, limit=limit)
    raise typer.Exit(status.run(context.obj, wanted, is_watched=watch, as_json=as_json))


@app.command("search", rich_help_panel=SEE)
def search_all(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="what to look for; nothing in it is syntax")],
    *,
    everywhere: Everywhere = False,
    plan: OfPlan = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="plan, step, context, ...; more than once")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="also in archived plans")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="how many hits")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find anything that is stored, by words."""
    from server.cli.views import search

    wanted = search.SearchRequest(" ".join(words), everywhere, plan, tuple(kind or ()), archived, limit)
    raise typer.Exit(search.run(context.obj, wanted, as_json=as_json))


@app.command("show", rich_help_panel=SEE)
def show_one(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="an id, its unique end (4 characters or more), PLAN#index")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one thing whole: a plan, a step, a message, ..."""
    from server.cli.views import show

    raise typer.Exit(show.run(context.obj, name, as_json=as_json))


@app.command("log", rich_help_panel=SEE)
def show_log(
    context: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="stay, and print what happens")] = False,
    everywhere: Everywhere = False,
    plan: OfPlan = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="types of events, or entities such as step; more than once")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="how many of the last ones")] = 30,
    as_json: AsJson = False,
) -> None:
    """Print what happened last, the newest at the end."""
    from server.cli.views import log

    wanted = log.LogRequest(everywhere, plan, tuple(kind or ()), limit)
    raise typer.Exit(log.run(context.obj, wanted, follow=follow, as_json=as_json))


@app.command("message", rich_help_panel=ANSWER)
def write_message(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="name of an agent, or a session id")],
    words: Annotated[list[str], typer.Argument(metavar="TEXT", help="what to say; - reads it from stdin")],
    *,
    sender: Annotated[
        str | None,
        typer.Option("--as", metavar="human|cli", help="who says it (human, in a terminal of yours)"),
    ] = None,
    reply_to: Annotated[
        str | None, typer.Option("--reply-to", metavar="ID", help="the message that is answered")
    ] = None,
    plan: OfPlan = None,
) -> None:
    """Write to an agent, as a human or as cli.

    As a human at a terminal of your own, once a code that is shown is typed back; else as cli.
    """
    from server.cli.views import messages

    letter = messages.Letter(agent, " ".join(words), sender, reply_to, plan)
    raise typer.Exit(messages.send(context.obj, letter))


@app.command("messages", rich_help_panel=ANSWER)
def read_messages(
    context: typer.Context,
    done: Annotated[list[str] | None, typer.Argument(metavar="ID", help="with --done: which")] = None,
    *,
    mark: Annotated[bool, typer.Option("--done", help="mark these, or all, as read; takes a code")] = False,
    everywhere: Everywhere = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="how many")] = 20,
    as_json: AsJson = False,
) -> None:
    """Read what agents wrote to you and nobody has answered."""
    from server.cli.views import messages

    if mark:
        raise typer.Exit(messages.acknowledge(context.obj, tuple(done or ()), everywhere=everywhere))
    raise typer.Exit(messages.read(context.obj, everywhere=everywhere, limit=limit, as_json=as_json))
