"""All mailings, those put away, and one of them with what its state allows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.dialogs import compose
from bot.dialogs.about import kept_rows, said_about, said_settings
from bot.dialogs.live import RUNNING, live_card
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    find_mailing,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
    turner,
)
from bot.screens import Button, Said, Screen, with_note
from bot.texts import Html, Texts
from storage.records import Mailing, Status

if TYPE_CHECKING:
    from engine.operations import Summary

ICONS = {
    Status.DRAFT: "📝",
    Status.SCHEDULED: "🗓",
    Status.SENDING: "📨",
    Status.PAUSED: "⏸",
    Status.SENT: "✅",
    Status.CANCELLED: "✖",
    Status.INTERRUPTED: "⚠",
}

_LIVE_AT_ONCE = 5  # live cards that one /now opens
_UNTOLD = "–"


# --- the list ---


async def open_list(talk: Talk, page: str = "0") -> Screens:
    return [await list_card(talk, int(page))]


async def list_by_command(talk: Talk, words: str = "") -> Screens:
    """/mailings, /mailings 7, /mailings spring"""
    if not words.strip():
        return await open_list(talk)
    if words.strip().lstrip("#№").strip().isdecimal():
        return await open_mailing(talk, str((await find_mailing(talk, words)).id))
    return await _found(talk, words.strip())


async def hear_search(talk: Talk, said: Said) -> Screens:
    words = plain_words(said)
    if said.attachments or said.location or len(words) > 60 or "\n" in words:
        return await compose.ask_what_for(talk, said, None)
    return await list_by_command(talk, words)


async def open_found(talk: Talk, page: str) -> Screens:
    """Another page of what was searched for."""
    words = str(talk.state.get("m.words") or "")
    return await _found(talk, words, int(page)) if words else await open_list(talk)


async def _found(talk: Talk, words: str, page: int = 0) -> Screens:
    """Those with these words in the name, the archived as well."""
    t = talk.t
    found = await talk.operations.list_mailings(search=words, limit=PAGE + 1, offset=page * PAGE, archived=None)
    talk.ask("m.search")
    if not found:
        text = t(
            "No mailing has “{words}” in its name. Type another piece of the name, or a number.", words=short(words, 60)
        )
        return [card(text, [(button(t("All mailings"), "m:list", 0), button(t("Menu"), "h"))])]
    if len(found) == 1 and page == 0:
        return await open_mailing(talk, str(found[0].id))
    talk.state["m.words"] = words
    rows = [
        *_opening(found[:PAGE]),
        *turner(talk, page, len(found) > PAGE, "m:found"),
        footer(talk, button(t("◀ All mailings"), "m:list", 0)),
    ]
    text = paragraphs(t("Mailings with “{words}”:", words=short(words, 60)), _told(talk, found[:PAGE]))
    return [card(text, rows, ask=t.plain("Another piece of a name, or a number"))]


async def list_card(talk: Talk, page: int) -> Screen:
    t = talk.t
    talk.ask("m.search")
    found = await talk.operations.list_mailings(limit=PAGE + 1, offset=page * PAGE)
    shown = found[:PAGE]
    below = (button(t("Archive"), "m:old", 0), button(t("Menu"), "h"))
    if not shown:
        text = t("No mailing yet. Make the first one: press New mailing, or send me the message.")
        if await talk.operations.list_mailings(limit=1, archived=True):
            text = t("The list is empty: all mailings are in the archive.")
        return card(text, [(primary(t("New mailing"), "c:new"),), below])
    text = paragraphs(t("<b>Mailings</b>, newest first"), _told(talk, shown))
    rows: Rows = [*_opening(shown), *turner(talk, page, len(found) > PAGE, "m:list")]
    rows += [(primary(t("New mailing"), "c:new"),), below]
    return card(text, rows, ask=t.plain("A piece of a name, or a number"))


async def open_archive(talk: Talk, page: str = "0") -> Screens:
    """What was put away, newest first."""
    t = talk.t
    at = int(page)
    talk.ask("m.search")
    found = await talk.operations.list_mailings(limit=PAGE + 1, offset=at * PAGE, archived=True)
    rows: Rows = [
        *_opening(found[:PAGE]),
        *turner(talk, at, len(found) > PAGE, "m:old"),
        footer(talk, button(t("◀ All mailings"), "m:list", 0)),
    ]
    if not found:
        text = t("The archive is empty: open a finished mailing and press Archive to put it here.")
        return [card(text, rows)]
    text = paragraphs(t("<b>Archive</b>, newest first"), _told(talk, found[:PAGE]))
    return [card(text, rows, ask=t.plain("A piece of a name, or a number"))]


async def archive_by_command(talk: Talk, words: str = "") -> Screens:
    """/archive, /archive 7"""
    from bot.dialogs import steering

    if not words.strip():
        return await open_archive(talk)
    mailing = await find_mailing(talk, words)
    verb = steering.archive if mailing.archived_at is None else steering.bring_back
    return await verb(talk, str(mailing.id))


def _opening(found: Sequence["Summary"]) -> Rows:
    return in_rows([button(f"#{one.id} {short(one.name, 20)}", "m:open", one.id) for one in found], 2)


def _told(talk: Talk, found: Sequence["Summary"]) -> Html:
    t = talk.t
    silent = any(one.planned and None in (one.delivered, one.read) for one in found)
    note = t("{dash}: its messengers don't report it.", dash=_UNTOLD) if silent else None
    return paragraphs(*(_line(talk, one) for one in found), note)


def _line(talk: Talk, one: "Summary") -> str:
    t = talk.t
    status = Status(one.status)
    if status in (Status.DRAFT, Status.SCHEDULED):
        when = t.moment(one.start_at) if status == Status.SCHEDULED and one.start_at else t.day(one.created_at)
        rest = t("{status}, {when}", status=t.status(status), when=when)
    else:
        rest = t(
            "{status} {share}, {day}",
            status=t.status(status),
            share=t.share(1.0 if status == Status.SENT else one.progress),
            day=t.day(one.start_at or one.created_at),
        )
    if one.archived:
        rest = t("{rest}, in the archive", rest=rest)
    head = t("{icon} #{id} <b>{name}</b> – {rest}", icon=ICONS[status], id=one.id, name=one.name, rest=rest)
    return lines(head, _numbers(t, one) if status not in (Status.DRAFT, Status.SCHEDULED) else None)


def _numbers(t: Texts, one: "Summary") -> str:
    def told(amount: int | None) -> str:
        return _UNTOLD if amount is None else t.number(amount)

    return t(
        "planned {planned} · sent {sent} · failed {failed} · delivered {delivered} · read {read}",
        planned=told(one.planned),
        sent=told(one.sent),
        failed=told(one.failed),
        delivered=told(one.delivered),
        read=told(one.read),
    )


# --- one of them ---


async def open_mailing(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    return [await mailing_card(talk, mailing)]


async def mailing_card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    if mailing.status == Status.DRAFT:
        from bot.dialogs import approval

        if not talk.may("compose"):
            return await approval.approval_card(talk, mailing, note)
        return _draft_card(talk, mailing, lines(note or None, await approval.waiting_line(talk, mailing)))
    if mailing.status == Status.SCHEDULED:
        made = _scheduled_card(talk, mailing)
    else:
        figures = await talk.operations.figures(mailing.id)
        made = live_card(t, mailing, figures, talk.clock.now())
        if mailing.status not in RUNNING:
            made = _ended_card(talk, mailing, made)
    return with_note(made, note) if note else made


def _draft_card(talk: Talk, mailing: Mailing, note: str) -> Screen:
    """The card on which it is written goes on, with the rest of it told."""
    t = talk.t
    made = compose.message_card(talk, mailing, lines(note or None, said_settings(talk, mailing)))
    row = (button(t("Copy"), "m:copy", mailing.id), danger(t("Delete the draft"), "m:delete?", mailing.id))
    return replace(made, rows=(*made.rows[:-1], row, made.rows[-1]))


def _scheduled_card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    number = mailing.id
    text = paragraphs(
        t("🗓 <b>{name}</b> · #{id} – scheduled", name=mailing.draft.name, id=number),
        said_about(talk, mailing),
        t("It can be changed until 5 minutes before its start: it becomes a draft again, and you schedule it anew."),
    )
    rows: Rows = [
        (button(t("Cancel, edit, schedule again"), "m:edit", number),),
        (button(t("Message"), "m:see", number), button(t("Copy"), "m:copy", number)),
        (danger(t("✖ Cancel it"), "m:cancel?", number),),
        footer(talk, button(t("◀ Back"), "m:list", 0)),
    ]
    return card(text, rows)


def _ended_card(talk: Talk, mailing: Mailing, made: Screen) -> Screen:
    """A card that lives no more, with what its state does not allow said beside it."""
    t = talk.t
    if mailing.status == Status.CANCELLED:
        hint = t("Launched again, it reaches only those it had not reached. It can't be edited: copy it for that.")
    else:
        hint = t(
            "It can't be edited or deleted any more: clients have it. Copy it to send something like it; a mistake can "
            "be taken back or corrected where messengers allow it."
        )
    away = mailing.archived_at is not None
    put = button(t("Bring it back"), "m:back", mailing.id) if away else button(t("Archive"), "m:away", mailing.id)
    own = [left for row in made.rows[:-1] if (left := tuple(one for one in row if not _is_kept(one)))]
    back = button(t("◀ Archive"), "m:old", 0) if away else button(t("◀ Back"), "m:list", 0)
    rows: Rows = [*own, *kept_rows(talk, mailing), (put,), footer(talk, back)]
    return card(paragraphs(made.text, said_about(talk, mailing), hint), rows)


def _is_kept(one: Button) -> bool:
    """Whether a button of the live card stands among those of every ended one."""
    return one.token.startswith(("s:of:", "m:copy:"))


async def open_now(talk: Talk, *_args: str) -> Screens:
    """The live cards of everything that runs; each goes on by itself from now on."""
    t = talk.t
    running = await talk.operations.active()
    if not running:
        recent = await talk.operations.list_mailings(limit=100)
        scheduled = [one for one in recent if one.status == Status.SCHEDULED][:PAGE]
        text = paragraphs(t("Nothing is being sent now."), lines(*(_line(talk, one) for one in scheduled)) or None)
        return [card(text, [*_opening(scheduled), (primary(t("New mailing"), "c:new"), button(t("Menu"), "h"))])]
    shown = running[-_LIVE_AT_ONCE:]
    screens = [
        replace(live_card(t, mailing, figures, talk.clock.now()), edit=False)
        for mailing, figures in zip(shown, await talk.operations.figures_of(shown), strict=True)
    ]
    if more := len(running) - len(shown):
        note = t.plural("{count} older one is in /mailings.", "{count} older ones are in /mailings.", more)
        screens[0] = with_note(screens[0], note)
    return screens
