"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import SET_UP, AsJson, app
from server.errors import InvalidArguments

serve_app = typer.Typer(
    help="Serve MCP, the dashboard and all events over HTTP.",
    rich_markup_mode=None,
    invoke_without_command=True,
)
app.add_typer(serve_app, name="serve", rich_help_panel=SET_UP)
token_app = typer.Typer(help="The programs that may use the server over HTTP.", rich_markup_mode=None)
serve_app.add_typer(token_app, name="token")
browser_app = typer.Typer(help="The browsers that are let in.", rich_markup_mode=None)
serve_app.add_typer(browser_app, name="browser")

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
TokenName = Annotated[str, typer.Argument(metavar="NAME", help="what the token is called in the log")]

BrowserId = Annotated[str | None, typer.Argument(metavar="ID", help="as `serve browser list` shows it")]


@serve_app.callback()
def serve(
    context: typer.Context,
    *,
    address: Annotated[str, typer.Option("--address", help="where to listen")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="kept for the next time; 0 for any free one, once")
    ] = None,
    host_name: Annotated[
        str | None, typer.Option("--host-name", help="of the dashboard, where browsers do not find NAME.localhost")
    ] = None,
    public_url: Annotated[str | None, typer.Option("--public-url", help="how clients call the proxy")] = None,
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="a proxy in front ends TLS")] = False,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="file of the certificate, PEM")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="file of its key, PEM")] = None,
    allow_host_tools: Annotated[
        bool, typer.Option("--allow-host-tools", help="let those who come over a network reach files and programs")
    ] = False,
    to_file: Annotated[bool, typer.Option("--log-to-file", hidden=True)] = False,
) -> None:
    """Serve MCP, the dashboard and the stream of events over HTTP, in the foreground."""
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from server.cli.serving import foreground
    from server.web.places.addresses import ServeOptions

    options = ServeOptions(address, port, host_name, public_url, behind_proxy, tls_cert, tls_key, allow_host_tools)
    raise typer.Exit(foreground.run(context.obj, options, to_file=to_file))


def _refuse_options(context: typer.Context) -> None:
    """Refuse options that stand before a command: it would not heed them."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    told = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if told:
        raise InvalidArguments(
            f"--{told[0].replace('_', '-')} stands before {context.invoked_subcommand!r}. The options of `serve` stand "
            "behind `serve`, `serve start` or `serve restart`."
        )


@serve_app.command("start", context_settings=PASSED_ON)
def start_in_background(context: typer.Context) -> None:
    """Start a server in the background.

    It takes the options of `serve`, and the command ends when the server answers.
    """
    from server.cli.serving import background

    raise typer.Exit(background.start(context.obj, context.args))


@serve_app.command("stop")
def stop_background(context: typer.Context) -> None:
    """End the server that runs."""
    from server.cli.serving import background

    raise typer.Exit(background.stop(context.obj))


@serve_app.command("restart", context_settings=PASSED_ON)
def restart_in_background(context: typer.Context) -> None:
    """End the server that runs, and start it anew.

    Its options stay as they are, but for those that are given.
    """
    from server.cli.serving import background

    raise typer.Exit(background.restart(context.obj, context.args))


@serve_app.command("status")
def show_status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Say whether a server runs, and where. Exit code: 0 it runs, 3 it does not, 4 it does not answer."""
    from server.cli.serving import background

    raise typer.Exit(background.status(context.obj, as_json=as_json))


@serve_app.command("open")
def open_dashboard(context: typer.Context) -> None:
    """Print a link that lets a browser in, and open it."""
    from server.cli.serving import admission

    raise typer.Exit(admission.open_(context.obj))


@token_app.command("add")
def add_token(
    context: typer.Context,
    name: TokenName,
    *,
    role: Annotated[str, typer.Option("--role", metavar="agent|reader", help="all actions, or those that read")],
) -> None:
    """Make a token and show it, this once.

    A code that is shown has to be typed back.
    """
    from server.cli.serving import admission

    raise typer.Exit(admission.add(context.obj, name, role))


@token_app.command("list")
def list_tokens(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the tokens that there are and were."""
    from server.cli.serving import admission

    raise typer.Exit(admission.list_(context.obj, as_json=as_json))


@token_app.command("revoke")
def revoke_token(context: typer.Context, name: TokenName) -> None:
    """Refuse a token from now on."""
    from server.cli.serving import admission

    raise typer.Exit(admission.revoke(context.obj, name))


@browser_app.command("list")
def list_browsers(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the browsers that are let in."""
    from server.cli.serving import admission

    raise typer.Exit(admission.list_browsers(context.obj, as_json=as_json))


@browser_app.command("revoke")
def revoke_browser(
    context: typer.Context,
    wanted: BrowserId = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="all of them")] = False,
) -> None:
    """Let a browser in no more."""
    from server.cli.serving import admission

    raise typer.Exit(admission.revoke_browser(context.obj, wanted, every=every))


service_app = typer.Typer(help="The server started by the system when you log in.", rich_markup_mode=None)
app.add_typer(service_app, name="service", rich_help_panel=SET_UP)


@service_app.command("install")
def install_service(
    context: typer.Context, *, yes: Annotated[bool, typer.Option("--yes", help="write it without a question")] = False
) -> None:
    """Let the system start the server.

    Shows a systemd unit, a LaunchAgent or a Windows task, and writes it after a yes.
    """
    from server.cli.serving import login_start

    raise typer.Exit(login_start.install(context.obj, yes=yes))


@service_app.command("uninstall")
def uninstall_service(context: typer.Context) -> None:
    """Remove what `service install` wrote."""
    from server.cli.serving import login_start

    raise typer.Exit(login_start.uninstall(context.obj))


@service_app.command("status")
def show_service(context: typer.Context) -> None:
    """Say what is installed. Exit code: 0 as it would be written now, 1 otherwise."""
    from server.cli.serving import login_start

    raise typer.Exit(login_start.status(context.obj))
