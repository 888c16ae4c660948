"""Segments: filters that were saved, each with how many were in it and when; made, changed, counted, deleted."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs import compose
from bot.dialogs.audience import said_segment, segment_label
from bot.dialogs.builder import condition_rows
from bot.dialogs.said import message_from, name_for
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    digest,
    footer,
    in_rows,
    paragraphs,
    plain_words,
    primary,
    short,
    turner,
)
from bot.dialogs.targets import SEGMENT, Target, count_of, counted, find_segment, of_segment, said_audience
from bot.dialogs.terms import ROOT
from bot.screens import Said, Screen
from bot.texts import _
from engine.audience import read_audience
from engine.errors import Invalid, NotFound
from storage.records import Draft, Mailing
from storage.segments import MAX_NAME, Segment

# --- the list ---


async def open_list(talk: Talk, page: str = "0") -> Screens:
    return [await _list_card(talk, await talk.store.segments.list(), int(page))]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/segments, /segments vip"""
    return await _find(talk, words) if words.strip() else await open_list(talk)


async def hear_search(talk: Talk, said: Said) -> Screens:
    return await _find(talk, plain_words(said))


async def _find(talk: Talk, words: str) -> Screens:
    words = " ".join(words.split())
    found = [one for one in await talk.store.segments.list() if words.casefold() in one.name.casefold()]
    exact = [one for one in found if one.name.casefold() == words.casefold()]
    if not words or not found:
        raise NotFound(_("No segment has “{words}” in its name."), words=short(words, 60))
    if len(found) == 1 or exact:
        return [await segment_card(talk, of_segment((exact or found)[0]))]
    return [await _list_card(talk, found, 0, words)]


async def _list_card(talk: Talk, segments: list[Segment], page: int, words: str = "") -> Screen:
    t = talk.t
    talk.ask("g.search")
    shown = segments[page * PAGE : (page + 1) * PAGE]
    rows = in_rows([button(segment_label(talk, one), "g:of", one.id) for one in shown], 1)
    rows += turner(talk, page, not words and len(segments) > (page + 1) * PAGE, "g:list")
    rows.append((button(t("New segment"), "g:new"),))
    rows.append(footer(talk, button(t("◀ Back"), "h")))
    told = [_line(talk, one) for one in shown]
    text = paragraphs(
        t("<b>Segments</b>: filters over clients that are saved under a name."),
        t("With “{words}” in their name:", words=short(words, 40)) if words else None,
        "\n".join(told) or t("None is saved yet."),
    )
    return card(text, rows, ask=t.plain("A piece of the segment's name"))


def _line(talk: Talk, segment: Segment) -> str:
    t = talk.t
    if segment.last_count is None or segment.counted_at is None:
        return t("• {name} – not counted yet", name=segment.name)
    when = t.ago(segment.counted_at, talk.clock.now())
    return t("• {name} – {count}, counted {when}", name=segment.name, count=t.number(segment.last_count), when=when)


# --- one of them ---


async def open_segment(talk: Talk, segment_id: str, *_rest: str) -> Screens:
    return [await segment_card(talk, of_segment(await find_segment(talk, segment_id)))]


async def segment_card(talk: Talk, target: Target, note: str = "", *, recount: bool = False) -> Screen:
    """It is counted where it was not since it was changed, and when somebody wants it."""
    t = talk.t
    segment = await find_segment(talk, str(target.id))
    here = target.here
    talk.ask("g.field", ROOT, *here)
    text = paragraphs(
        t("<b>Segment “{name}”</b>", name=segment.name),
        note or None,
        said_audience(talk, segment.audience),
        await _counted(talk, target, segment, recount=recount),
    )
    rows: Rows = [
        (
            button(t("By tag"), "g:f", ROOT, digest("tag"), "is", *here, 0),
            button(t("Add a condition"), "g:if", ROOT, *here, 0),
        ),
        *condition_rows(talk, target),
        (button(t("Count now"), "g:count", segment.id), button(t("Who they are"), "who", SEGMENT, segment.id, "all")),
        (primary(t("New mailing to it"), "g:mail", segment.id), danger(t("Delete"), "g:delete?", segment.id)),
        footer(talk, button(t("◀ Back"), "g:list", 0)),
    ]
    return card(text, rows, ask=t.plain("A condition, such as: city is Kyiv"))


async def _counted(talk: Talk, target: Target, segment: Segment, *, recount: bool) -> str:
    t = talk.t
    if segment.last_count is not None and not recount:
        return said_segment(talk, segment, None)
    try:
        count = await count_of(talk, target)
    except Invalid as error:
        return t("⚠ {why}", why=t.error(error))
    await talk.store.segments.remember_count(segment.name, count.audience, talk.clock.now())
    return paragraphs(said_segment(talk, segment, count.audience), counted(talk, count))


async def count_now(talk: Talk, segment_id: str) -> Screens:
    target = of_segment(await find_segment(talk, segment_id))
    return [await segment_card(talk, target, recount=True)]


async def ask_mailing(talk: Talk, segment_id: str) -> Screens:
    """A mailing to it: what the message says is asked for, as for any other."""
    segment = await find_segment(talk, segment_id)
    talk.ask("g.message", segment.id)
    t = talk.t
    text = paragraphs(
        t("<b>New mailing</b> to the segment “{name}”", name=segment.name),
        t("Send or forward me the message exactly as clients should see it."),
    )
    rows = [footer(talk, button(t("◀ Back"), "g:of", segment.id))]
    return [card(text, rows, ask=t.plain("The message, as clients should see it"))]


async def hear_message(talk: Talk, said: Said, segment_id: str) -> Screens:
    """The draft, saved from here on, as any other's first message makes one."""
    segment = await find_segment(talk, segment_id)
    return await begin_mailing(talk, said, {"segment": segment.name})


async def begin_mailing(talk: Talk, said: Said, audience: Mapping[str, Any]) -> Screens:
    """A draft of this message to that audience."""
    message = message_from(said)
    local = talk.clock.now().astimezone(ZoneInfo(talk.t.timezone))
    draft = Draft(name=name_for(message, local), message=message, audience=dict(audience))
    mailing = await talk.operations.get(await talk.operations.create(draft, talk.actor))
    return await compose.show(talk, mailing, talk.t("Saved as a draft: it stays in /mailings whatever happens."))


# --- made, deleted ---


async def ask_new(talk: Talk) -> Screens:
    talk.ask("g.new")
    t = talk.t
    text = t("How shall the new segment be called? Its conditions come next.")
    return [card(text, [footer(talk, button(t("◀ Back"), "g:list", 0))], ask=t.plain("The segment's name"))]


async def hear_new(talk: Talk, said: Said) -> Screens:
    name = await free_name(talk, said)
    await talk.store.segments.save(name, read_audience({}), talk.clock.now())
    note = talk.t("Saved. Everybody is in it until you set conditions.")
    return [await segment_card(talk, of_segment(await talk.store.segments.get(name)), note)]


async def free_name(talk: Talk, said: Said) -> str:
    """Raises Invalid for no name, and for one that is taken."""
    name = _name(said)
    if any(one.name == name for one in await talk.store.segments.list()):
        raise Invalid(_("There is a segment “{name}” already: type another name."), name=name)
    return name


def _name(said: Said) -> str:
    name = " ".join(plain_words(said).split())
    if not 0 < len(name) <= MAX_NAME:
        raise Invalid(_("A segment's name has 1 to {most} characters."), most=MAX_NAME)
    return name


async def ask_delete(talk: Talk, segment_id: str) -> Screens:
    segment = await find_segment(talk, segment_id)
    t = talk.t
    text = t("Delete the segment “{name}”? It can't be brought back; clients are not touched.", name=segment.name)
    rows: Rows = [
        (danger(t("Yes, delete it"), "g:delete", segment.id), button(t("No, keep it"), "g:of", segment.id)),
        footer(talk, button(t("◀ Back"), "g:of", segment.id)),
    ]
    return [card(text, rows)]


async def delete(talk: Talk, segment_id: str) -> Screens:
    """Raises Refused where something that is still to start stands on it."""
    segment = await find_segment(talk, segment_id)
    await talk.store.segments.delete(segment.name)
    note = talk.t("Deleted: “{name}”.", name=segment.name)
    screen = await _list_card(talk, await talk.store.segments.list(), 0)
    return [card(paragraphs(note, screen.text), screen.rows, ask=screen.ask)]


# --- what a mailing goes to, saved ---


async def ask_save(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.ask("a.save", *compose.at(mailing))
    t = talk.t
    text = paragraphs(
        t("<b>Save as a segment</b>"),
        said_audience(talk, mailing.draft.audience),
        t("Type a name for it: any mailing can go to it then."),
    )
    back = button(t("◀ Back"), "a", *compose.at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("The segment's name"))]


async def hear_save(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    name = _name(said)
    taken = next((one for one in await talk.store.segments.list() if one.name == name), None)
    if taken is None or mailing.draft.audience == {"segment": name}:
        return await _save(talk, mailing, name)
    t = talk.t
    talk.ask("a.save", *compose.at(mailing))
    here = compose.at(mailing)
    text = paragraphs(
        t("There is a segment “{name}” already: {audience}.", name=name, audience=said_audience(talk, taken.audience)),
        t("Replace it, or type another name."),
    )
    rows: Rows = [(danger(t.plain("Replace “{name}”", name=short(name, 24)), "a:save!", taken.id, *here),)]
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    return [card(text, rows, ask=t.plain("Another name"))]


async def replace(talk: Talk, segment_id: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return await _save(talk, mailing, (await find_segment(talk, segment_id)).name)


async def _save(talk: Talk, mailing: Mailing, name: str) -> Screens:
    """The mailing goes to the segment from now on: whoever is in it when it starts."""
    from bot.dialogs.audience import audience_card

    audience = mailing.draft.audience
    if audience == {"segment": name}:
        return [await audience_card(talk, mailing, talk.t("It goes to the segment “{name}” as it is.", name=name))]
    count = await talk.operations.checker.count_audience(audience)  # what can't be counted is not saved
    now = talk.clock.now()
    await talk.store.segments.save(name, read_audience(audience), now)
    await talk.store.segments.remember_count(name, count.audience, now)
    mailing = await compose.change(talk, mailing, audience={"segment": name})
    note = talk.t("Saved as the segment “{name}”; this mailing goes to it now.", name=name)
    return [await audience_card(talk, mailing, note)]
