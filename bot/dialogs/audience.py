"""Who gets it: everybody, by tags, conditions, a segment or a file; with a live count."""

from typing import Any

from bot.dialogs import builder, compose, upload
from bot.dialogs.builder import condition_rows, typed
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
    turner,
)
from bot.dialogs.targets import counted, of_draft, said_audience
from bot.dialogs.terms import ROOT, root_of, terms_of, with_added, with_root
from bot.dialogs.through import said_through
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, NotFound
from gateways.base import PartKind
from storage.clients import AudienceCount
from storage.records import Mailing, Routing
from storage.segments import Segment

__all__ = ["audience_card", "said_audience"]

_MOST_CONDITIONS = 8  # on the card; the card of all conditions has the others


async def open_audience(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await audience_card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/audience 7; where no draft is there, whoever a filter finds"""
    if not words.strip() and await compose.newest_draft(talk) is None:
        from bot.dialogs import counting

        return await counting.open_count(talk)
    return [await audience_card(talk, await compose.draft_of(talk, words))]


async def count_again(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """The same card with everything counted anew, the segment by itself as well."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await audience_card(talk, mailing, recount=True)]


async def audience_card(talk: Talk, mailing: Mailing, note: str = "", *, recount: bool = False) -> Screen:
    t = talk.t
    talk.ask("a.typed", *compose.at(mailing))
    draft = mailing.draft
    text = paragraphs(
        t("<b>Who gets “{name}”?</b>", name=draft.name),
        note or None,
        lines(
            said_audience(talk, draft.audience),
            None if draft.routing is Routing.MAIN else said_through(talk, draft),
            t("Only who is connected and subscribed gets it: that is always so."),
        ),
        await _counted(talk, mailing, recount=recount),
    )
    return card(text, _rows(talk, mailing), ask=t.plain("A tag, a segment, or a condition such as: city is Kyiv"))


def _rows(talk: Talk, mailing: Mailing) -> Rows:
    t = talk.t
    audience = mailing.draft.audience
    here = compose.at(mailing)
    target = of_draft(mailing)
    rows: Rows = [
        (
            button(t("✓ Everybody") if not audience else t("Everybody"), "a:all", *here),
            button(t("By tag"), "a:f", ROOT, digest("tag"), "is", *here, 0),
            button(t("By condition"), "a:if", ROOT, *here, 0),
        ),
        (button(t("A saved segment"), "a:segs", *here, 0), button(t("From a file"), "a:file+", *here)),
    ]
    if audience.get("segment"):
        rows.append((button(f"✕ {audience['segment']}", "a:free", *here),))
    rows += condition_rows(talk, target, most=_MOST_CONDITIONS)
    if len(terms_of(root_of(audience))) > _MOST_CONDITIONS:
        rows.append((button(t("All conditions"), "a:terms", *here, 0),))
    rows.append((button(t("Channels"), "a:via", *here), button(t("Who they are"), "who", "a", mailing.id, "all")))
    save = button(t("Save as a segment"), "a:save", *here)
    rows.append(
        (save, button(t("Count again"), "a:count", *here))
        if audience
        else (button(t("Count again"), "a:count", *here),)
    )
    rows.append((primary(t("Next: when and how fast ▶"), "l", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id))
    return rows


# --- the count ---


async def _counted(talk: Talk, mailing: Mailing, *, recount: bool) -> str:
    checker = talk.operations.checker
    try:
        count = await talk.store.clients.count(checker.audience_of(mailing.draft))
        segment = await _segment_line(talk, mailing, count, recount=recount)
    except Invalid as error:
        return talk.t("⚠ {why}", why=talk.t.error(error))
    changed = await difference(talk, mailing, count.planned)
    # Of a segment alone its own line tells the same.
    is_told = segment is not None and not mailing.draft.audience.get("where")
    return lines(counted(talk, count), None if is_told else changed, segment)


async def difference(talk: Talk, mailing: Mailing, planned: int) -> Html | None:
    """How many it was when somebody counted the same audience last, where it is another number now."""
    t = talk.t
    now = talk.clock.now()
    await talk.store.audiences.remember_count(mailing.id, planned, now)
    then = mailing.last_count
    if then is None or then == planned or mailing.counted_at is None:
        return None
    numbers = {"then": t.number(then), "now": t.number(planned), "when": t.ago(mailing.counted_at, now)}
    return t("It has changed: {then} when it was counted last ({when}), {now} now.", **numbers)


async def _segment_line(talk: Talk, mailing: Mailing, count: AudienceCount, *, recount: bool) -> Html | None:
    """How large the segment was when it was counted last, and how large it is now where that is known."""
    audience = mailing.draft.audience
    if not audience.get("segment"):
        return None
    segment = await talk.store.segments.get(str(audience["segment"]))
    now: int | None = None
    if not audience.get("where"):
        now = count.audience
    elif recount:
        now = (await talk.operations.checker.count_audience({"segment": segment.name})).audience
    if now is not None:
        await talk.store.segments.remember_count(segment.name, now, talk.clock.now())
    said = lines(said_segment(talk, segment, now), said_audience(talk, segment.audience) if segment.audience else None)
    return Html(said)


def said_segment(talk: Talk, segment: Segment, now: int | None) -> Html:
    t = talk.t
    then, when = segment.last_count, segment.counted_at
    if then is None or when is None:
        if now is None:
            return t("Segment “{name}”: not counted yet.", name=segment.name)
        return t.plural(
            "Segment “{name}”: {count} client in it.",
            "Segment “{name}”: {count} clients in it.",
            now,
            name=segment.name,
        )
    named = {"name": segment.name, "when": t.ago(when, talk.clock.now()), "then": t.number(then)}
    if now is None or now == then:
        return t("Segment “{name}”: {then} in it when it was counted last ({when}).", **named)
    return t("Segment “{name}”: {then} when it was counted last ({when}), {now} now.", **named, now=t.number(now))


# --- changes ---


async def _changed(talk: Talk, mailing: Mailing, audience: dict[str, Any], note: str = "") -> Screens:
    from bot.dialogs.targets import changed

    target = await changed(talk, of_draft(mailing), audience)
    return await builder.back_to(talk, target, ROOT, note)


async def everybody(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return await _changed(talk, await compose.draft_at(talk, mailing_id, revision), {})


async def drop_segment(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    audience = {key: value for key, value in mailing.draft.audience.items() if key != "segment"}
    return await _changed(talk, mailing, audience)


async def open_terms(talk: Talk, mailing_id: str, revision: str, page: str = "0") -> Screens:
    """All conditions, where they are more than the card holds."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    at = int(page) * PAGE
    every = condition_rows(talk, of_draft(mailing), most=at + PAGE)[1:]
    more = len(terms_of(root_of(mailing.draft.audience))) > at + PAGE
    rows = [*every[at:], *turner(talk, int(page), more, "a:terms", *here)]
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    return [card(t("<b>All conditions</b>: press one to remove it, a group to open it."), rows)]


async def hear_typed(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """A file, a segment's name, a tag, or a whole condition."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    if said.attachments and said.attachments[0].kind is PartKind.FILE:
        return await upload.hear_file(talk, said, mailing_id, revision)
    words = " ".join(plain_words(said).split())
    audience = mailing.draft.audience
    for segment in await talk.store.segments.list():
        if words and segment.name.casefold() == words.casefold():
            return await _changed(talk, mailing, {**audience, "segment": segment.name})
    condition = await typed(talk, words)
    if condition is None:
        return await _changed(talk, mailing, {})
    return await _changed(talk, mailing, with_root(audience, with_added(root_of(audience), ROOT, condition)))


# --- a segment ---


async def open_segments(talk: Talk, mailing_id: str, revision: str, page: str = "0") -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _segments_card(talk, mailing, int(page))]


async def hear_segment(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """A segment's name, or a piece of it."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    words = " ".join(plain_words(said).split())
    found = [one for one in await talk.store.segments.list() if words.casefold() in one.name.casefold()]
    if not words or not found:
        raise NotFound(_("No segment has “{words}” in its name."), words=short(words, 60))
    if len(found) == 1 or found[0].name.casefold() == words.casefold():
        return await _changed(talk, mailing, {**mailing.draft.audience, "segment": found[0].name})
    return [await _segments_card(talk, mailing, 0, words)]


async def _segments_card(talk: Talk, mailing: Mailing, page: int, words: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("a.segment", *here)
    found = [one for one in await talk.store.segments.list() if words.casefold() in one.name.casefold()]
    shown = found[page * PAGE : (page + 1) * PAGE]
    rows = in_rows([button(segment_label(talk, one), "a:use", digest(one.name), *here) for one in shown], 1)
    rows += turner(talk, page, not words and len(found) > (page + 1) * PAGE, "a:segs", *here)
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    if words:
        text = t("Segments with “{words}” in their name; type more of it to narrow them down.", words=short(words, 40))
    elif found:
        text = t("<b>Which segment?</b> Press it, or type a piece of its name.")
    else:
        text = t("No segment is saved yet: set conditions, then press “Save as a segment”.")
    return card(text, rows, ask=t.plain("A piece of the segment's name"))


def segment_label(talk: Talk, segment: Segment) -> str:
    """Its name, and how many were in it when it was counted last."""
    if segment.last_count is None:
        return short(segment.name, 36)
    return f"{short(segment.name, 26)} · {talk.t.number(segment.last_count)}"


async def use_segment(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    name = chosen([one.name for one in await talk.store.segments.list()], short_name)
    return await _changed(talk, mailing, {**mailing.draft.audience, "segment": name})
