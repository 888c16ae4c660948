"""`carillon clients …`: who receives."""

import typer

app = typer.Typer(no_args_is_help=True, help="Clients: import, find, export, forget.")
