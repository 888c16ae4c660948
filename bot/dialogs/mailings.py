"""All mailings, one of them with what its state allows, and every verb: pause, resume, cancel, copy, delete, again."""

from dataclasses import replace
from typing import Any

from bot.dialogs import compose
from bot.dialogs.audience import said_audience
from bot.dialogs.live import RUNNING, live_card
from bot.dialogs.sending import said_start
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
from bot.screens import Said, Screen, with_note
from storage.records import Mailing, Status

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


async def _found(talk: Talk, words: str) -> Screens:
    found = await talk.operations.list_mailings(search=words, limit=PAGE)
    t = talk.t
    talk.ask("m.search")
    if not found:
        text = t(
            "No mailing has “{words}” in its name. Type another piece of the name, or a number.", words=short(words, 60)
        )
        return [card(text, [(button(t("All mailings"), "m:list", 0), button(t("Menu"), "h"))])]
    if len(found) == 1:
        return await open_mailing(talk, str(found[0].id))
    text = paragraphs(
        t("Mailings with “{words}”:", words=short(words, 60)), lines(*(_line(talk, one) for one in found))
    )
    rows = [*_opening(found), footer(talk, button(t("◀ All mailings"), "m:list", 0))]
    return [card(text, rows, ask=t.plain("Another piece of a name, or a number"))]


async def list_card(talk: Talk, page: int) -> Screen:
    t = talk.t
    talk.ask("m.search")
    found = await talk.operations.list_mailings(limit=PAGE + 1, offset=page * PAGE)
    shown = found[:PAGE]
    if not shown:
        text = t("No mailing yet. Make the first one: press New mailing, or send me the message.")
        return card(text, [(primary(t("New mailing"), "c:new"),), footer(talk)])
    text = paragraphs(t("<b>Mailings</b>, newest first"), lines(*(_line(talk, one) for one in shown)))
    rows: Rows = [*_opening(shown), *turner(talk, page, len(found) > PAGE, "m:list")]
    rows.append((primary(t("New mailing"), "c:new"), button(t("Menu"), "h")))
    return card(text, rows, ask=t.plain("A piece of a name, or a number"))


def _opening(found: Any) -> Rows:
    return in_rows([button(f"#{one.id} {short(one.name, 20)}", "m:open", one.id) for one in found], 2)


def _line(talk: Talk, one: Any) -> str:
    t = talk.t
    status = Status(one.status)
    if status in (Status.DRAFT, Status.SCHEDULED):
        when = t.moment(one.start_at) if status == Status.SCHEDULED and one.start_at else t.day(one.created_at)
        rest = t("{status}, {when}", status=t.status(status), when=when)
    else:
        share = "" if status == Status.SENT else f" {t.share(one.progress)}"
        rest = t(
            "{status}{share}, {day}: {sent} of {planned} sent, {failed} failed",
            status=t.status(status),
            share=share,
            day=t.day(one.start_at or one.created_at),
            sent=t.number(one.sent),
            planned=t.number(one.planned),
            failed=t.number(one.failed),
        )
    return t("{icon} #{id} <b>{name}</b> – {rest}", icon=ICONS[status], id=one.id, name=one.name, rest=rest)


# --- one of them ---


async def open_mailing(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    return [await mailing_card(talk, mailing)]


async def mailing_card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    if mailing.status == Status.DRAFT:
        return compose.message_card(talk, mailing, note)
    if mailing.status == Status.SCHEDULED:
        made = _scheduled_card(talk, mailing)
    else:
        figures = await talk.operations.figures(mailing.id)
        made = live_card(t, mailing, figures, talk.clock.now())
        if mailing.status not in RUNNING:
            made = _ended_card(talk, mailing, made)
    return with_note(made, note) if note else made


def _scheduled_card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    text = paragraphs(
        t("🗓 <b>{name}</b> · #{id} – scheduled", name=mailing.draft.name, id=mailing.id),
        lines(
            t("It starts {start}.", start=said_start(talk, mailing)),
            t("To: {audience}", audience=said_audience(talk, mailing.draft.audience)),
        ),
        t("It can be changed until 5 minutes before its start: it becomes a draft again, and you schedule it anew."),
    )
    number = mailing.id
    rows: Rows = [
        (button(t("Cancel, edit, schedule again"), "m:edit", number),),
        (button(t("Copy"), "m:copy", number), danger(t("✖ Cancel it"), "m:cancel?", number)),
        footer(talk, button(t("◀ Back"), "m:list", 0)),
    ]
    return card(text, rows)


def _ended_card(talk: Talk, mailing: Mailing, made: Screen) -> Screen:
    """A card that lives no more, with what its state does not allow said beside it."""
    t = talk.t
    if mailing.status == Status.CANCELLED:
        hint = t("Launched again, it reaches only those it had not reached. It can't be edited: copy it for that.")
    else:
        hint = t("It can't be edited or deleted any more: clients have it. Copy it to send something like it.")
    rows: Rows = [*made.rows[:-1], footer(talk, button(t("◀ Back"), "m:list", 0))]
    if mailing.status == Status.CANCELLED:
        rows.insert(-1, (button(t("Copy"), "m:copy", mailing.id),))
    return card(paragraphs(made.text, hint), rows)


async def open_now(talk: Talk, *_args: str) -> Screens:
    """The live cards of everything that runs; each goes on by itself from now on."""
    t = talk.t
    running = await talk.operations.active()
    if not running:
        recent = await talk.operations.list_mailings(limit=100)
        scheduled = [one for one in recent if one.status == Status.SCHEDULED][:PAGE]
        text = paragraphs(t("Nothing is being sent now."), lines(*(_line(talk, one) for one in scheduled)) or None)
        return [card(text, [*_opening(scheduled), (primary(t("New mailing"), "c:new"), button(t("Menu"), "h"))])]
    screens = []
    for mailing in running[-_LIVE_AT_ONCE:]:
        figures = await talk.operations.figures(mailing.id)
        screens.append(replace(live_card(t, mailing, figures, talk.clock.now()), edit=False))
    return screens
