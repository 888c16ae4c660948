"""`carillon segment …`: saved filters over clients."""

import typer

app = typer.Typer(no_args_is_help=True, help="Segments: saved filters over clients.")
