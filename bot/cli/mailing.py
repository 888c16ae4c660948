"""`carillon mailing …`: the operations that the bot offers, from the command line."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Failure, Options, desk_of, input_file, me, run, table

if TYPE_CHECKING:
    from bot.desk import Desk
    from engine.approving import Launched

app = typer.Typer(no_args_is_help=True, help="Mailings: create, launch, watch, pause, and ask what happened.")

Id = Annotated[int, typer.Argument(metavar="ID", help="The mailing's number, as `mailing list` shows it.")]


@app.command()
def create(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A mailing file, in TOML.")],
    launch: Annotated[bool, typer.Option("--launch", help="Launch it at once.")] = False,
) -> None:
    """Make a mailing from a file and print its id.

    Example: `carillon mailing create spring.toml --launch`"""
    options = Options.of(context)
    source = input_file(file)

    async def work() -> dict[str, Any]:
        from engine.drafts import read_mailing_file

        async with desk_of(options) as desk:
            draft = read_mailing_file(
                source,
                media=desk.media,
                channels=desk.settings.channels,
                kinds=desk.settings.kinds,
                known_fields=await desk.store.clients.known_fields(),
                at=desk.clock.now(),
                timezone=desk.settings.timezone,
            )
            await desk.operations.checker.require_sendable(draft)  # a file is mended in the file, not in a draft
            mailing_id = await desk.operations.create(draft, me())
            if not launch:
                return {"id": mailing_id, "status": "draft"}
            try:
                return _launched(await desk.operations.launch_or_ask(mailing_id, me()))
            except Exception:
                await desk.operations.delete(mailing_id, me())  # nothing half done: the file is mended and tried again
                raise

    document = run(work())
    options.emit(document, lambda out: out.print(_launch_words(document)))


@app.command("list")
def list_(
    context: typer.Context,
    search: Annotated[str, typer.Option(help="Only those with this in the name.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    archived: Annotated[bool, typer.Option("--archived", help="Those in the archive.")] = False,
) -> None:
    """The mailings, newest first.

    Example: `carillon mailing list --search sale --limit 5`"""
    options = Options.of(context)

    async def work() -> list[Any]:
        async with desk_of(options) as desk:
            return list(
                await desk.operations.list_mailings(search=search, limit=limit, offset=offset, archived=archived)
            )

    found = run(work())
    columns = ("id", "name", "status", "start", "planned", "sent", "failed", "waiting", "delivered", "read")
    rows = [
        (
            *(str(each.id), each.name, each.status, each.start_at),
            *(each.planned, each.sent, each.failed, each.waiting, _told(each.delivered), _told(each.read)),
        )
        for each in found
    ]
    options.emit(
        found,
        lambda out: out.print(table(*columns, rows=rows, right=columns[4:]) if rows else "There is no mailing yet."),
    )


@app.command()
def show(context: typer.Context, mailing_id: Id) -> None:
    """The figures of one mailing.

    Example: `carillon mailing show 7 --json`"""
    options = Options.of(context)
    figures = _with_desk(options, lambda desk: desk.operations.figures(mailing_id))
    options.emit(figures, lambda out: _print_figures(out, figures))


@app.command()
def launch(context: typer.Context, mailing_id: Id) -> None:
    """Start it, or schedule it if its file names a time. A cancelled one goes on with those it had not reached.

    Where a second person has to approve it, they are asked, and it starts by itself when they have.

    Example: `carillon mailing launch 7`"""
    options = Options.of(context)
    launched = _with_desk(options, lambda desk: desk.operations.launch_or_ask(mailing_id, me()))
    document = _launched(launched)
    options.emit(document, lambda out: out.print(_launch_words(document)))


@app.command()
def pause(context: typer.Context, mailing_id: Id) -> None:
    """Hold it: nothing more goes out until it is resumed.

    Example: `carillon mailing pause 7`"""
    _change(context, mailing_id, lambda desk: desk.operations.pause(mailing_id, me()))


@app.command()
def resume(context: typer.Context, mailing_id: Id) -> None:
    """Go on from exactly where it was paused or interrupted.

    Example: `carillon mailing resume 7`"""
    _change(context, mailing_id, lambda desk: desk.operations.resume(mailing_id, me()))


@app.command()
def cancel(context: typer.Context, mailing_id: Id) -> None:
    """End it here; whoever waits stays unreached. It may be launched again later.

    Example: `carillon mailing cancel 7`"""
    options = Options.of(context)
    in_flight = _with_desk(options, lambda desk: desk.operations.cancel(mailing_id, me()))
    document = {"id": mailing_id, "status": "cancelled", "in_flight": in_flight}
    options.emit(document, lambda out: out.print(f"Mailing {mailing_id} is cancelled; {in_flight} were in flight."))


@app.command()
def copy(context: typer.Context, mailing_id: Id) -> None:
    """A draft with the same content.

    Example: `carillon mailing copy 7`"""
    options = Options.of(context)
    copied = _with_desk(options, lambda desk: desk.operations.copy(mailing_id, me()))
    options.emit({"id": copied}, lambda out: out.print(f"Mailing {copied} is a copy of {mailing_id}."))


@app.command()
def delete(context: typer.Context, mailing_id: Id) -> None:
    """Remove a draft.

    Example: `carillon mailing delete 7`"""
    options = Options.of(context)
    _with_desk(options, lambda desk: desk.operations.delete(mailing_id, me()))
    document = {"id": mailing_id, "deleted": True}
    options.emit(document, lambda out: out.print(f"Mailing {mailing_id} is deleted."))


@app.command()
def archive(
    context: typer.Context,
    mailing_id: Id,
    back: Annotated[bool, typer.Option("--back", help="Bring it back into the list.")] = False,
) -> None:
    """Put a finished or cancelled one away: out of the list, with all its numbers.

    Example: `carillon mailing archive 7`"""
    options = Options.of(context)

    async def put(desk: "Desk") -> Any:
        verb = desk.operations.bring_back if back else desk.operations.archive
        return await verb(mailing_id, me())

    mailing = _with_desk(options, put)
    document = {"id": mailing_id, "archived": mailing.archived_at is not None}
    place = "in the list again" if back else "in the archive"
    options.emit(document, lambda out: out.print(f"Mailing {mailing_id} is {place}."))


@app.command("for")
def for_(
    context: typer.Context,
    mailing_id: Id,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A kind of messenger, such as viber; or all.")],
) -> None:
    """Make a draft's message one messenger's alone, or everybody's again.

    What each messenger then changes of it is told at once.

    Example: `carillon mailing for 7 viber`"""
    options = Options.of(context)

    async def work(desk: "Desk") -> dict[str, Any]:
        if kind == "all":
            changed = await desk.operations.export_to_all(mailing_id, me())
        else:
            changed = await desk.operations.only_for(mailing_id, kind, me())
        fits = (await desk.operations.checker.fits(changed.draft)).items()
        return {
            "id": mailing_id,
            "for": sorted(changed.draft.message.kinds),
            "losses": {channel: [str(loss) for loss in fit.losses] for channel, fit in fits},
            "problems": {channel: str(fit.problem) for channel, fit in fits if fit.problem is not None},
        }

    document = _with_desk(options, work)

    def show(out: Any) -> None:
        whom = ", ".join(document["for"]) or "every messenger"
        out.print(f"The message of mailing {mailing_id} is for {whom}.", markup=False)
        told = [(channel, words) for channel, losses in document["losses"].items() for words in losses]
        for channel, words in [*told, *document["problems"].items()]:
            out.print(f"{channel}: {words}", style="yellow", markup=False)

    options.emit(document, show)


@app.command()
def preview(
    context: typer.Context,
    mailing_id: Id,
    client: Annotated[
        str | None, typer.Option(metavar="C", help="With this client's values: id, phone or address.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="As this channel would send it.")] = None,
) -> None:
    """The message as a client would get it.

    What a messenger can't show of it is told below.

    Example: `carillon mailing preview 7 --client c-1017`"""
    options = Options.of(context)
    seen = _with_desk(options, lambda desk: desk.operations.preview(mailing_id, client=client, channel=channel))
    from bot.previews import preview_document, print_preview

    options.emit(preview_document(seen), lambda out: print_preview(out, seen))


@app.command()
def failed(
    context: typer.Context,
    mailing_id: Id,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    after: Annotated[int, typer.Option(min=0, help="Go on after this delivery's id.")] = 0,
) -> None:
    """Whom it did not reach, and the platform's own words.

    Example: `carillon mailing failed 7 --limit 20`"""
    options = Options.of(context)
    rows = _with_desk(options, lambda desk: desk.operations.failed(mailing_id, after_id=after, limit=limit))
    _emit_rows(options, rows, f"Nobody failed in mailing {mailing_id}.")


@app.command()
def why(
    context: typer.Context,
    mailing_id: Id,
    client: Annotated[str, typer.Option(metavar="C", help="The client: id, phone or address.")],
) -> None:
    """Why a client did or did not get it.

    Example: `carillon mailing why 7 --client c-1017`"""
    options = Options.of(context)
    explanation = _with_desk(options, lambda desk: desk.operations.why(mailing_id, client))
    from bot.why import why_document, why_words

    document = why_document(explanation)
    left_out = ("id", "client", "rules", "events")
    cells = [(name, value) for name, value in document.items() if value is not None and name not in left_out]
    rules = [("yes" if one["holds"] else "no", one["words"]) for one in document["rules"]]
    events = [(one["at"], one["what"], one["channel"], one["reason"]) for one in document["events"]]

    def show(out: Any) -> None:
        out.print(why_words(mailing_id, document), markup=False)
        out.print(table("", "", rows=cells))
        out.print(table("holds", "what decides, now", rows=rules))
        if events:
            out.print(table("at", "what happened", "channel", "reason", rows=events))

    options.emit(document, show)


@app.command()
def unknown(
    context: typer.Context,
    mailing_id: Id,
    repeat: Annotated[bool, typer.Option("--repeat", help="Send them again; some may then have it twice.")] = False,
) -> None:
    """Those who may or may not have got it.

    It is a person's decision to send to them again.

    Example: `carillon mailing unknown 7 --repeat`"""
    options = Options.of(context)
    if not repeat:
        rows = _with_desk(options, lambda desk: desk.operations.unknown(mailing_id))
        _emit_rows(options, rows, f"Nothing is unknown in mailing {mailing_id}.")
        return
    count = _with_desk(options, lambda desk: desk.operations.repeat_unknown(mailing_id, me()))
    options.emit({"id": mailing_id, "repeated": count}, lambda out: out.print(f"{count} will be sent again."))


@app.command()
def watch(context: typer.Context, mailing_id: Id) -> None:
    """A live progress bar until the mailing ends.

    Example: `carillon mailing watch 7`"""
    options = Options.of(context)

    async def work() -> Any:
        from bot.watch import watch_mailing

        async with desk_of(options) as desk:
            return await watch_mailing(desk.operations, mailing_id, quiet=options.json)

    figures = run(work())
    options.emit(figures, lambda out: _print_figures(out, figures))
    if figures["status"] != "sent":
        raise Failure(f"Mailing {mailing_id} is {figures['status']}: {figures['reason'] or 'by a person'}.")


def _with_desk(options: Options, ask: "Callable[[Desk], Awaitable[Any]]") -> Any:
    async def work() -> Any:
        async with desk_of(options) as desk:
            return await ask(desk)

    return run(work())


def _change(context: typer.Context, mailing_id: int, change: "Callable[[Desk], Awaitable[Any]]") -> None:
    options = Options.of(context)

    async def work() -> Any:
        async with desk_of(options) as desk:
            await change(desk)
            return await desk.operations.figures(mailing_id)

    figures = run(work())
    document = {"id": mailing_id, "status": figures["status"]}
    options.emit(document, lambda out: out.print(f"Mailing {mailing_id} is {_said(figures['status'])}."))


def _launched(launched: "Launched") -> dict[str, Any]:
    document = {"id": launched.mailing.id, "status": str(launched.mailing.status)}
    return document | ({"approval": str(launched.approval.state)} if launched.approval else {})


def _launch_words(document: Mapping[str, Any]) -> str:
    if document.get("approval"):
        return f"Mailing {document['id']} waits for a second person's approval; it starts by itself with that."
    return f"Mailing {document['id']} is {_said(document['status'])}."


def _emit_rows(options: Options, rows: Any, nothing: str) -> None:
    from dataclasses import asdict

    documents = [{name: value for name, value in asdict(row).items() if name != "parts"} for row in rows]
    columns = tuple(documents[0]) if documents else ()
    ids = ("id", "client_id")  # are names, not amounts: no separators in them
    cells = [tuple(str(value) if name in ids else value for name, value in document.items()) for document in documents]
    options.emit(documents, lambda out: out.print(table(*columns, rows=cells) if cells else nothing))


def _told(amount: int | None) -> Any:
    """A dash where no messenger reports it, never 0."""
    return "–" if amount is None else amount


def _said(status: str) -> str:
    return {"draft": "saved as a draft", "sent": "sent to its end"}.get(status, status)


def _print_figures(out: Any, figures: Mapping[str, Any]) -> None:
    from bot.cli.figures import print_figures

    print_figures(out, figures)
