"""`carillon clients …`: who receives."""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Failure, Options, confirmed, desk_of, input_file, me, run, table
from bot.plain import plain

if TYPE_CHECKING:
    from bot.desk import Desk
    from storage.records import ClientCard

app = typer.Typer(no_args_is_help=True, help="Clients: import, find, export, forget.")

Client = Annotated[str, typer.Argument(metavar="CLIENT", help="The id, a phone, an address, or #NUMBER.")]
_PAGE = 500
_SHOWN = 50


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or XLSX, with a header row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    region: Annotated[
        str | None, typer.Option(metavar="CC", help="Country of phones written without one, such as UA.")
    ] = None,
) -> None:
    """Add and update clients from a file.

    A rejected row stops nothing. An import never subscribes again who opted out, blocked us or was erased.

    Example: `carillon clients import clients.csv --region UA --dry-run`"""
    options = Options.of(context)
    source = input_file(file)

    async def work() -> dict[str, Any]:
        from bot.importing import import_with_bar

        async with desk_of(options) as desk:
            return await import_with_bar(desk, source, region=region, dry_run=dry_run, quiet=options.json)

    outcome = run(work())

    def show(out: Any) -> None:
        would = "would be " if dry_run else ""
        added, updated, rejected = outcome["added"], outcome["updated"], outcome["rejected"]
        out.print(f"{added:,} {would}added, {updated:,} {would}updated, {len(rejected):,} rejected.")
        if rejected:
            cells = [(str(each["row"]), each["reason"]) for each in rejected]
            out.print(table("row", "reason", rows=cells, right=("row",)))

    options.emit(outcome, show)


@app.command("list")
def list_(
    context: typer.Context,
    search: Annotated[str, typer.Option(help="Only those with this in the name.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many: 50 where none is named, with --json all.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="Go on after this number.")] = 0,
) -> None:
    """The clients: a page of them as a table, with --json all of them.

    Example: `carillon clients list --search Ann --limit 20`"""
    options = Options.of(context)
    if options.json:
        run(_list_as_json(options, search, limit, after))
        return
    most = limit or _SHOWN

    async def work() -> list[Any]:
        async with desk_of(options) as desk:
            return [card async for card in _cards(desk, search=search, after=after, limit=most + 1)]

    looked = run(work())
    found, are_more = looked[:most], len(looked) > most
    columns = ("#", "id", "name", "main channel", "tags", "language", "last seen")
    cells = [
        (str(each.id), each.external_id, _name(each), each.main_channel, each.tags, each.language, each.last_seen_at)
        for each in found
    ]

    def show(out: Any) -> None:
        out.print(table(*columns, rows=cells) if cells else "There is no such client.")
        if are_more:
            out.print(f"There are more: go on with --after {found[-1].id}, or name a higher --limit.")

    options.emit(found, show)


@app.command()
def show(context: typer.Context, client: Client) -> None:
    """One client's card, and the links by which this client comes to the other channels as the same one.

    Example: `carillon clients show c-1017`"""
    options = Options.of(context)

    async def work() -> "tuple[ClientCard, Mapping[str, str]]":
        from engine.binding import StartPayloads, binding_links

        async with desk_of(options) as desk:
            card = await _client(desk, client)
            payloads = StartPayloads(desk.secret)
            return card, await binding_links(desk.store, desk.settings.channels, payloads, card.id)

    card, links = run(work())

    def print_card(out: Any) -> None:
        rows = [
            *(("#", str(card.id)), ("id", card.external_id), ("name", _name(card)), ("language", card.language)),
            *(("time zone", card.timezone), ("main channel", card.main_channel), ("tags", card.tags)),
            ("subscribed to", card.subscribed_to),
            *card.attributes.items(),
            *(("created", card.created_at), ("last seen", card.last_seen_at)),
        ]
        out.print(table("", "", rows=[row for row in rows if row[1] not in (None, ())]))
        places = [
            (place.channel or place.scope, place.external_id, place.status, place.status_reason, place.status_at)
            for place in card.addresses
        ]
        if places:
            out.print(table("address", "on it", "status", "reason", "since", rows=places))
        if links:
            out.print(table("not yet on", "comes there by", rows=list(links.items())))

    options.emit(plain(card) | {"links": links}, print_card)


@app.command()
def erase(
    context: typer.Context,
    client: Client,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a client who asked for it.

    The card and the addresses go for good; what remains are sums, and a keyed hash that keeps an import from bringing
    the client back.

    Example: `carillon clients erase c-1017 --yes`"""
    options = Options.of(context)

    async def find() -> "ClientCard":
        async with desk_of(options) as desk:
            return await _client(desk, client)

    card = run(find())
    confirmed(f"Forget {_name(card) or card.external_id or f'#{card.id}'} for good?", yes=yes)

    async def work() -> None:
        async with desk_of(options) as desk:
            await desk.store.clients.erase(card.id, me())

    run(work())
    document = {"id": card.id, "erased": True}
    options.emit(document, lambda out: out.print(f"Client #{card.id} is forgotten."))


@app.command()
def export(
    context: typer.Context,
    client: Annotated[
        str | None, typer.Argument(metavar="[CLIENT]", help="Everything of this one; without it, all cards.")
    ] = None,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="Write here instead of printing.")] = None,
) -> None:
    """Everything that is known of a client, or all cards, one JSON document a line.

    Example: `carillon clients export c-1017 --file c-1017.json`"""
    options = Options.of(context)

    async def work() -> int:
        count = 0
        async with desk_of(options) as desk:
            with _target(file) as opened:
                if options.json and client is None:
                    return await _write_array(opened, _cards(desk))
                async for document in _one(desk, client) if client is not None else _cards(desk):
                    opened.write(json.dumps(document, default=plain, ensure_ascii=False) + "\n")
                    count += 1
        return count

    run(work())


async def _one(desk: "Desk", client: str) -> AsyncIterator[Any]:
    card = await _client(desk, client)
    yield await desk.store.clients.export(card.id)


async def _cards(
    desk: "Desk", *, search: str = "", after: int = 0, limit: int | None = None
) -> AsyncIterator["ClientCard"]:
    """All of them, or the first `limit`, read page by page."""
    left = limit
    while left is None or left > 0:
        page = await desk.store.clients.page(
            after=after, limit=_PAGE if left is None else min(left, _PAGE), search=search
        )
        for card in page:
            yield card
        if not page:
            return
        after = page[-1].id
        left = None if left is None else left - len(page)


async def _list_as_json(options: Options, search: str, limit: int | None, after: int) -> None:
    async with desk_of(options) as desk:
        await _write_array(sys.stdout, _cards(desk, search=search, after=after, limit=limit))
        sys.stdout.flush()


async def _write_array(opened: Any, documents: AsyncIterator[Any]) -> int:
    """Write one JSON array an element at a time, so that any number of them fits into memory; returns how many."""
    count = 0
    async for document in documents:
        opened.write(",\n" if count else "[")
        opened.write(json.dumps(document, default=plain, ensure_ascii=False))
        count += 1
    opened.write("]\n" if count else "[]\n")
    return count


def _target(file: str | None) -> Any:
    """The file to write, for us alone where it is new, or stdout, which is not ours to close."""
    if file is not None:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    from contextlib import nullcontext

    return nullcontext(sys.stdout)


async def _client(desk: "Desk", words: str) -> "ClientCard":
    card: ClientCard | None = await desk.store.clients.find_by_any(words)
    if card is None:
        raise Failure(f"There is no client “{words}”.")
    return card


def _name(card: "ClientCard") -> str:
    return card.name or " ".join(part for part in (card.first_name, card.last_name) if part)
