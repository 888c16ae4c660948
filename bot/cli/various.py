"""The kill switch, channels, and the storage."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.context import Options, desk_of, me, run, table

channels = typer.Typer(no_args_is_help=True, help="The accounts that mailings go out through.")
db = typer.Typer(no_args_is_help=True, help="The storage.")


def register(app: typer.Typer) -> None:
    app.command()(stop)
    app.command()(go)
    app.add_typer(channels, name="channels")
    app.add_typer(db, name="db")


def stop(context: typer.Context) -> None:
    """The kill switch: nothing is sent until `carillon go`.

    Example: `carillon stop`"""
    options = Options.of(context)

    async def work() -> None:
        async with desk_of(options) as desk:
            await desk.operations.stop(me())

    run(work())
    options.emit({"stopped": True}, lambda out: out.print("Stopped. Nothing is sent until `carillon go`."))


def go(context: typer.Context) -> None:
    """Lift the kill switch.

    Example: `carillon go`"""
    options = Options.of(context)

    async def work() -> None:
        async with desk_of(options) as desk:
            await desk.operations.go(me())

    run(work())
    options.emit({"stopped": False}, lambda out: out.print("Going on."))


@channels.command("list")
def list_channels(context: typer.Context) -> None:
    """The channels, and how they are.

    Example: `carillon channels list`"""
    options = Options.of(context)

    async def work() -> list[dict[str, Any]]:
        async with desk_of(options) as desk:
            states = await desk.store.channel_states.all()
            left = {
                channel.id: await desk.operations.checker.quota_left(channel.id) for channel in desk.config.channels
            }
            return [
                _channel_document(channel, desk.config, states.get(channel.id), left[channel.id])
                for channel in desk.config.channels
            ]

    documents = run(work())
    cells = [tuple(document.values()) for document in documents]
    columns = tuple(documents[0]) if documents else ()
    options.emit(
        documents, lambda out: out.print(table(*columns, rows=cells) if cells else "No [[channels]] are configured.")
    )


@channels.command()
def topup(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="ID", help="The channel's id.")],
    amount: Annotated[int, typer.Argument(metavar="N", min=1, help="So many messages more.")],
) -> None:
    """Add messages to the balance of a channel whose quota is a package.

    Example: `carillon channels topup tg-shop 5000`"""
    options = Options.of(context)

    async def work() -> int:
        async with desk_of(options) as desk:
            return int(await desk.operations.topup(channel, amount, me()))

    left = run(work())
    options.emit({"channel": channel, "left": left}, lambda out: out.print(f"{channel} has {left:,} messages left."))


@db.command()
def upgrade(context: typer.Context) -> None:
    """Bring the storage to the tables of this version; `carillon run` does it by itself.

    Example: `carillon db upgrade`"""
    config, options = Options.of(context).load(), Options.of(context)

    async def work() -> Sequence[str]:
        from storage.database import Database
        from storage.migrate import upgrade as migrate

        database = Database(config.storage_url)
        try:
            return await migrate(database)
        finally:
            await database.close()

    applied = list(run(work()))
    words = f"Applied {', '.join(applied)}." if applied else "The storage is up to date."
    options.emit({"applied": applied}, lambda out: out.print(words))


@db.command()
def backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where the copy goes; it must not exist yet.")],
) -> None:
    """A consistent copy, taken while everything runs.

    Example: `carillon db backup backups/carillon.db`"""
    options = Options.of(context)

    config = options.load()

    async def work() -> int:
        from storage.backup import back_up
        from storage.database import Database

        database = Database(config.storage_url)
        try:
            return await back_up(database, Path(file))
        finally:
            await database.close()

    size_bytes = run(work())
    document: dict[str, Any] = {"file": file, "bytes": size_bytes, "at": datetime.now(UTC)}
    options.emit(document, lambda out: out.print(f"{file} holds {size_bytes:,} bytes."))


def _channel_document(channel: Any, config: Any, state: Any, left: int | None) -> dict[str, Any]:
    """What is known of a channel without asking its platform."""
    quota = f"{channel.quota.messages} a {channel.quota.per}" if channel.quota else None
    return {
        "id": channel.id,
        "kind": channel.kind,
        "rate": config.rate_of(channel),
        "quota": quota,
        "left": left,  # of today, or of the package
        "account": state.account_name if state else None,
        "link": state.link if state else None,
        "webhook": state.webhook if state else None,
        "may_begin": state.may_begin if state else None,  # conversations in 24 hours, as its platform told last
        "reason": state.reason if state else None,
    }
