"""A file as the audience: its columns found and shown, its clients matched, the others told and, where it can be,
imported."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs import compose
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    danger,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    primary,
    short,
    turner,
)
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.audience import field_words
from engine.columns import Meaning, meaning_named
from engine.errors import Invalid, NotFound
from engine.file_audience import FileAudience, FileColumn, Unknown, read_file_audience, take_file_audience
from engine.media import Media
from gateways.base import PartKind
from storage.records import Mailing

_MOST_COLUMNS = 12  # that are shown
_MOST_OWN = 20  # fields of their own that a column may be
_OF_CARDS = ("name", "first_name", "last_name", "language", "tags")
_GONE = _("I don't have that file any more: send it again.")


async def open_upload(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.ask("a.file", *compose.at(mailing))
    t = talk.t
    text = paragraphs(
        t("<b>An audience from a file</b>"),
        t("Send me a CSV or an Excel file (XLSX) with phones, e-mails, your own ids or addresses in a messenger."),
        t("I look up which clients they are, and show you what I found before anything changes."),
    )
    back = button(t("◀ Back"), "a", *compose.at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("A CSV or XLSX file"), wants_file=True)]


async def hear_file(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """The file, read and matched; nothing is written yet."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    if said.problem:
        raise Invalid(said.problem)
    if len(said.attachments) != 1 or said.attachments[0].kind is not PartKind.FILE:
        raise Invalid(_("That is no file with clients: send me one CSV or XLSX file."))
    [file] = said.attachments
    talk.state["file"] = {"source": file.source, "name": short(file.name or _("file"), 60), "of": mailing.id}
    return [await _found_card(talk, mailing)]


async def open_found(talk: Talk, short_source: str, mailing_id: str, revision: str) -> Screens:
    """Back on the card of what was found."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    _kept(talk, mailing, short_source)
    return [await _found_card(talk, mailing)]


async def _found_card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("a.file", *here)
    kept = talk.state["file"]
    name = str(kept["name"])
    found = await _read(talk, kept)
    at = (digest(str(kept["source"])), *here)
    text = paragraphs(
        t("📄 <b>{file}</b>", file=name),
        lines(*(_column(talk, number, one) for number, one in enumerate(found.columns[:_MOST_COLUMNS], 1))),
        _counted(talk, found) if found.has_key else None,
        _what_next(talk, found),
    )
    rows: Rows = []
    if found.clients:
        label = t.plain_plural("Use this {count} client", "Use these {count} clients", len(found.clients))
        rows.append((primary(label, "a:file=", "known", *at),))
    if found.new:
        label = t.plain_plural("Import {count} new client too", "Import {count} new clients too", found.new)
        rows.append((danger(label, "a:file=", "all", *at),))
    if found.told and found.has_key:
        rows.append((button(t("Show the rows that are left aside"), "a:rows", *at, 0),))
    rows.append((button(t("Columns are something else"), "a:cols", *at, 0),))
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("Another CSV or XLSX file"), wants_file=True)


def _counted(talk: Talk, found: FileAudience) -> str:
    t = talk.t
    return lines(
        t.plural("{count} row.", "{count} rows.", found.rows),
        t.plural("<b>{count} client</b> found.", "<b>{count} clients</b> found.", len(found.clients)),
        t.plural("{count} row repeats one of them.", "{count} rows repeat one of them.", found.repeated)
        if found.repeated
        else None,
        t.plural("{count} row is nobody we know.", "{count} rows are nobody we know.", found.unknown)
        if found.unknown
        else None,
        t.plural("{count} row can't be read.", "{count} rows can't be read.", found.unreadable)
        if found.unreadable
        else None,
        t("Phones without a country were read as those of {country}.", country=_country(talk, found.region))
        if found.region
        else None,
    )


def _what_next(talk: Talk, found: FileAudience) -> str:
    t = talk.t
    if not found.has_key:
        return t(
            "I find no column by which clients are known: the file needs phones, e-mails, ids of clients or their "
            "addresses in a messenger. Say which column is which, or send another file."
        )
    if not found.clients and not found.new:
        return t("Nobody of this file is a client of ours: check the columns, or send another file.")
    return lines(
        t("Those that were found become the audience, in place of what it is now. A tag marks them."),
        t.plural(
            "{count} row can be imported: it becomes a client of ours, enabled, and is in the audience too.",
            "{count} rows can be imported: they become clients of ours, enabled, and are in the audience too.",
            found.new,
        )
        if found.new
        else None,
    )


def _column(talk: Talk, number: int, column: FileColumn) -> Html:
    t = talk.t
    name = _called(talk, number, column)
    if column.meaning is None:
        return t("– {column}: left aside", column=name)
    means = _means(talk, column.meaning)
    return t("✓ {column} → {means}", column=name, means=means)


def _called(talk: Talk, number: int, column: FileColumn) -> str:
    return short(column.name, 40) or talk.t.plain("column {number}", number=number)


def _means(talk: Talk, meaning: Meaning | None) -> str:
    t = talk.t
    if meaning is None:
        return t.plain("left aside")
    if meaning.channels:
        return t.plain("address on {channels}", channels=", ".join(meaning.channels))
    own = {"id": t.plain("id in your own system"), "tags": t.plain("tags")}
    return own.get(meaning.name) or field_words(meaning.name, t.plain)


def _country(talk: Talk, region: str) -> str:
    from babel import Locale

    return str(Locale.parse(talk.t.locale).territories.get(region, region))


# --- what a column is ---


async def open_columns(talk: Talk, short_source: str, mailing_id: str, revision: str, page: str = "0") -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    found = await _read(talk, _kept(talk, mailing, short_source))
    t = talk.t
    at, here = int(page), compose.at(mailing)
    first, last = at * PAGE, (at + 1) * PAGE
    rows: Rows = [
        (button(_pressed(talk, place, column), "a:col", place, short_source, *here),)
        for place, column in enumerate(found.columns[first:last], first)
    ]
    rows += turner(talk, at, len(found.columns) > last, "a:cols", short_source, *here)
    rows.append(footer(talk, button(t("◀ Back"), "a:file", short_source, *here), leave=mailing.id))
    return [card(t("<b>Which column is something else?</b> Press it, and say what it is."), rows)]


def _pressed(talk: Talk, place: int, column: FileColumn) -> str:
    name, means = _called(talk, place + 1, column), _means(talk, column.meaning)
    return talk.t.plain("{column} → {means}", column=short(name, 18), means=short(means, 24))


async def open_column(talk: Talk, place: str, short_source: str, mailing_id: str, revision: str) -> Screens:
    """What it may be, the ways to know clients by first."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    found = await _read(talk, _kept(talk, mailing, short_source))
    if int(place) >= len(found.columns):
        raise Invalid(_GONE)
    t = talk.t
    at = (place, short_source, *compose.at(mailing))
    column = found.columns[int(place)]
    now = column.meaning.name if column.meaning else ""
    labels = [(name, _means(talk, meaning_named(name, talk.settings.channels))) for name in await _meanings(talk)]
    choices = [("", t.plain("left aside")), *labels]
    marked = [(name, f"✓ {words}" if name == now else words) for name, words in choices]
    rows = in_rows([button(short(words, 30), "a:col=", digest(name), *at) for name, words in marked], 2)
    rows.append(footer(talk, button(t("◀ Back"), "a:cols", short_source, *compose.at(mailing), 0), leave=mailing.id))
    return [card(t("<b>What is “{column}”?</b>", column=_called(talk, int(place) + 1, column)), rows)]


async def set_column(
    talk: Talk, short_name: str, place: str, short_source: str, mailing_id: str, revision: str
) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    kept = _kept(talk, mailing, short_source)
    name = chosen(["", *await _meanings(talk)], short_name)
    others = {at: one for at, one in dict(kept.get("meant") or {}).items() if one != name or not name}
    talk.state["file"] = {**kept, "meant": {**others, place: name}}
    return [await _found_card(talk, mailing)]


async def _meanings(talk: Talk) -> list[str]:
    own = await talk.store.clients.attribute_names()
    return ["phone", "email", "id", *talk.settings.channels, *_OF_CARDS, *list(own)[:_MOST_OWN]]


# --- the rows that are left aside ---


async def open_rows(talk: Talk, short_source: str, mailing_id: str, revision: str, page: str = "0") -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    kept = _kept(talk, mailing, short_source)
    found = await _read(talk, kept)
    t = talk.t
    at, here = int(page), compose.at(mailing)
    told = found.told[at * PAGE : (at + 1) * PAGE]
    left = found.unknown + found.unreadable
    text = paragraphs(
        t("📄 <b>{file}</b>: rows that are left aside", file=kept["name"]),
        lines(*(_row(talk, one) for one in told)),
        t("The first {count} of {all}.", count=t.number(len(found.told)), all=t.number(left))
        if left > len(found.told)
        else None,
    )
    rows = turner(talk, at, len(found.told) > (at + 1) * PAGE, "a:rows", short_source, *here)
    rows.append(footer(talk, button(t("◀ Back"), "a:file", short_source, *here), leave=mailing.id))
    return [card(text, rows)]


def _row(talk: Talk, one: Unknown) -> Html:
    t = talk.t
    if one.problem is None:
        return t("Row {row}: {words} – nobody we know", row=one.row, words=one.words)
    why = t.error(one.problem)
    if not one.words:
        return t("Row {row}: {why}", row=one.row, why=why)
    return t("Row {row}: {words} – {why}", row=one.row, words=one.words, why=why)


# --- taking it ---


async def take(talk: Talk, what: str, short_source: str, mailing_id: str, revision: str) -> Screens:
    """The file's clients become the audience; with "all", its new ones become clients before."""
    from bot.dialogs import audience

    mailing = await compose.draft_at(talk, mailing_id, revision)
    kept = _kept(talk, mailing, short_source)
    tag = await _tag(talk, str(kept["name"]))
    outcome = await take_file_audience(
        talk.store, talk.settings, talk.clock, _path(talk, kept), tag, import_new=what == "all", meant=_meant(kept)
    )
    where = [{"field": "tag", "is": tag}]
    mailing = await compose.change(talk, mailing, audience={"where": where})
    t = talk.t
    note = lines(
        t("The clients of {file} are the audience now; they have the tag “{tag}”.", file=kept["name"], tag=tag),
        t.plural("{count} new client was imported.", "{count} new clients were imported.", outcome.added)
        if outcome.added
        else None,
        t.plural("{count} row was not taken.", "{count} rows were not taken.", outcome.rejections)
        if outcome.rejections
        else None,
    )
    talk.state.pop("file", None)
    return [await audience.audience_card(talk, mailing, note)]


async def _tag(talk: Talk, name: str) -> str:
    """A tag that nobody has yet: the file and the minute."""
    local = talk.clock.now().astimezone(ZoneInfo(talk.t.timezone))
    stem = " ".join(name.replace(";", " ").split())
    wanted = tag = f"{stem} {local:%Y-%m-%d %H:%M}"
    taken = {one for one, _count in await talk.store.clients.tags()}
    number = 1
    while tag in taken:
        number += 1
        tag = f"{wanted} ({number})"
    return tag


def _kept(talk: Talk, mailing: Mailing, short_source: str) -> dict[str, Any]:
    """The file that the card was about. Raises Invalid where another one came since."""
    kept = talk.state.get("file") or {}
    if kept.get("of") != mailing.id or digest(str(kept.get("source"))) != short_source:
        raise Invalid(_GONE)
    return dict(kept)


async def _read(talk: Talk, kept: dict[str, Any]) -> FileAudience:
    return await read_file_audience(talk.store, talk.settings, _path(talk, kept), _meant(kept))


def _meant(kept: dict[str, Any]) -> dict[int, str]:
    return {int(place): str(name) for place, name in dict(kept.get("meant") or {}).items()}


def _path(talk: Talk, kept: dict[str, Any]) -> Path:
    try:
        return Media(talk.settings.data_dir).path(str(kept["source"]))
    except NotFound as error:
        raise Invalid(_GONE) from error
