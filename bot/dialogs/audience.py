"""Who gets it: everybody, by tags, by a few common conditions or a segment; with a live count."""

from typing import Any

from bot.dialogs import compose
from bot.dialogs.conditions import (
    read_typed,
    read_value,
    tags_of,
    where_of,
    with_condition,
    with_tag_turned,
    without_condition,
)
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
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.audience import describe, read_audience
from engine.errors import Invalid
from storage.records import Mailing

LANGUAGES = ("en", "uk", "ru", "es", "de", "pl")


async def open_audience(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/audience 7"""
    return [await _card(talk, await compose.draft_of(talk, words))]


async def _card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    talk.ask("a.typed", *compose.at(mailing))
    audience = mailing.draft.audience
    here = compose.at(mailing)
    text = paragraphs(
        t("<b>Who gets “{name}”?</b>", name=mailing.draft.name),
        note or None,
        said_audience(talk, audience),
        await _counted(talk, mailing),
    )
    rows: Rows = [
        (
            button(t("✓ Everybody") if not audience else t("Everybody"), "a:all", *here),
            button(t("✓ By tag") if tags_of(audience) else t("By tag"), "a:tags", *here, 0),
        ),
        (button(t("By condition"), "a:if", *here), button(t("A saved segment"), "a:segs", *here)),
    ]
    if audience.get("segment"):
        rows.append((button(f"✕ {audience['segment']}", "a:free", *here),))
    for place, condition in enumerate(where_of(audience)):
        label = describe(read_audience({"where": [condition]}), t.plain)
        rows.append((button(f"✕ {label}", "a:cut", place, *here),))
    rows.append((primary(t("Next: when and how fast ▶"), "l", *here), button(t("Count again"), "a", *here)))
    rows.append(footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("A tag, or a condition such as: city is Kyiv"))


def said_audience(talk: Talk, audience: Any) -> Html:
    words = describe(read_audience(audience), talk.t.plain)
    return talk.t("{audience}", audience=words[:1].upper() + words[1:])


async def _counted(talk: Talk, mailing: Mailing) -> str:
    draft = mailing.draft
    try:
        count = await talk.operations.checker.count_audience(draft.audience, draft.routing, draft.channels)
    except Invalid as error:
        return talk.t("⚠ {why}", why=talk.t.error(error))
    return counted(talk, count)


def counted(talk: Talk, count: Any) -> str:
    """How many get it, by which channel, and who is left out and why."""
    t = talk.t
    by_channel = [
        t("{channel} {count}", channel=channel, count=t.number(amount))
        for channel, amount in sorted(count.by_channel.items())
    ]
    left = sum(count.left_out.values())
    return lines(
        t.plural("Now about <b>{count} client</b>.", "Now about <b>{count} clients</b>.", count.planned),
        t("By channel: {channels}", channels=t.listed(list(by_channel))) if by_channel else None,
        t("Left out {count}: {reasons}", count=t.number(left), reasons=t.reasons(count.left_out)) if left else None,
    )


async def _changed(talk: Talk, mailing: Mailing, audience: dict[str, Any]) -> Mailing:
    read_audience(audience)
    return await compose.change(talk, mailing, audience=audience)


async def everybody(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _card(talk, await _changed(talk, mailing, {}))]


async def cut(talk: Talk, place: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _card(talk, await _changed(talk, mailing, without_condition(mailing.draft.audience, int(place))))]


async def drop_segment(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    audience = {key: value for key, value in mailing.draft.audience.items() if key != "segment"}
    return [await _card(talk, await _changed(talk, mailing, audience))]


async def hear_typed(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type a tag, or a condition such as: city is Kyiv, ltv >= 1000, language is en."))
    tags = [name for name, _count in await talk.store.clients.tags()]
    condition = read_typed(words, await talk.store.clients.attribute_names(), tags)
    audience = {} if condition is None else with_condition(mailing.draft.audience, condition)
    return [await _card(talk, await _changed(talk, mailing, audience))]


# --- by tag ---


async def open_tags(talk: Talk, mailing_id: str, revision: str, page: str = "0") -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _tags_card(talk, mailing, int(page))]


async def _tags_card(talk: Talk, mailing: Mailing, page: int) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("a.typed", *here)
    tags = await talk.store.clients.tags()
    pressed = tags_of(mailing.draft.audience)
    shown = tags[page * PAGE : (page + 1) * PAGE]
    rows = in_rows(
        [
            button(
                f"{'✓ ' if name in pressed else ''}{short(name, 24)} · {t.number(count)}",
                "a:tag",
                digest(name),
                *here,
                page,
            )
            for name, count in shown
        ],
        2,
    )
    rows += turner(talk, page, len(tags) > (page + 1) * PAGE, "a:tags", *here)
    rows.append((primary(t("Done"), "a", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    text = paragraphs(
        t("<b>Tags</b>: clients who have any of those you press."),
        None if tags else t("No client has a tag yet."),
        await _counted(talk, mailing) if pressed else None,
    )
    return card(text, rows, ask=t.plain("Or type a tag"))


async def turn_tag(talk: Talk, short_name: str, mailing_id: str, revision: str, page: str = "0") -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    name = chosen([name for name, _count in await talk.store.clients.tags()], short_name)
    mailing = await _changed(talk, mailing, with_tag_turned(mailing.draft.audience, name))
    return [await _tags_card(talk, mailing, int(page))]


# --- by condition ---


async def open_conditions(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.ask("a.typed", *compose.at(mailing))
    t = talk.t
    here = compose.at(mailing)
    attributes = await talk.store.clients.attribute_names()
    rows: Rows = [
        (button(t("Language"), "a:lang", *here), button(t("Channel"), "a:chan", *here)),
        (button(t("Last seen"), "a:seen", *here),),
        *in_rows([button(short(name, 24), "a:attr", digest(name), *here) for name in attributes[:24]], 2),
        footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id),
    ]
    text = paragraphs(
        t("<b>Which condition?</b> All conditions that you set must hold."),
        t(
            "You can also type it: <code>city is Kyiv</code>, <code>ltv &gt;= 1000</code>, "
            "<code>plan is not free</code>."
        ),
    )
    return [card(text, rows, ask=t.plain("A condition, such as: city is Kyiv"))]


async def open_languages(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    talk.ask("a.value", "language", *here)
    buttons = [button(code, "a:lang=", code, *here) for code in LANGUAGES]
    rows = [*in_rows(buttons, 3), footer(talk, button(t("◀ Back"), "a:if", *here), leave=mailing.id)]
    return [card(t("Which language? Press it, or type its code."), rows, ask=t.plain("A language code, such as en"))]


async def open_channels(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    buttons = [button(channel, "a:chan=", digest(channel), *here) for channel in talk.settings.channels]
    rows = [*in_rows(buttons, 2), footer(talk, button(t("◀ Back"), "a:if", *here), leave=mailing.id)]
    return [card(t("Clients who have an address on which channel?"), rows)]


async def add_channel(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    return await _add(
        talk, {"field": "channel", "is": chosen(list(talk.settings.channels), short_name)}, mailing_id, revision
    )


async def open_seen(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    talk.ask("a.seen", *here)
    buttons = [
        button(t.plain_plural("{count} day", "{count} days", days), "a:days", days, *here)
        for days in (1, 7, 30, 90, 180, 365)
    ]
    rows = [*in_rows(buttons, 3), footer(talk, button(t("◀ Back"), "a:if", *here), leave=mailing.id)]
    text = t("Clients seen within how many days? Press it, or type a number.")
    return [card(text, rows, ask=t.plain("A number of days, such as 14"))]


async def hear_seen(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    words = plain_words(said).split(" ")[0]
    if not words.isdecimal() or not 0 < int(words) <= 36500:
        raise Invalid(_("Type a number of days, such as 14."))
    return await _add(talk, {"field": "last_seen", "within_days": int(words)}, mailing_id, revision)


async def add_language(talk: Talk, code: str, mailing_id: str, revision: str) -> Screens:
    return await _add(talk, {"field": "language", "is": code}, mailing_id, revision)


async def add_days(talk: Talk, days: str, mailing_id: str, revision: str) -> Screens:
    return await _add(talk, {"field": "last_seen", "within_days": int(days)}, mailing_id, revision)


async def _add(talk: Talk, condition: Any, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [await _card(talk, await _changed(talk, mailing, with_condition(mailing.draft.audience, condition)))]


async def open_attribute(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    name = chosen(await talk.store.clients.attribute_names(), short_name)
    talk.ask("a.value", name, *here)
    text = t(
        "What must “{field}” be? Type it: <code>Kyiv</code>, <code>not Kyiv</code>, <code>over 100</code>, "
        "<code>at most 5</code>, <code>known</code>.",
        field=name,
    )
    rows = [footer(talk, button(t("◀ Back"), "a:if", *here), leave=mailing.id)]
    return [card(text, rows, ask=t.plain("What “{field}” must be", field=short(name, 30)))]


async def hear_value(talk: Talk, said: Said, field: str, mailing_id: str, revision: str) -> Screens:
    return await _add(talk, read_value(field, plain_words(said)), mailing_id, revision)


# --- segments ---


async def open_segments(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    segments = await talk.store.segments.list()
    buttons = [button(_segment_label(talk, one), "a:use", digest(one.name), *here) for one in segments[:40]]
    rows = [*in_rows(buttons, 1), footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id)]
    text = t("Which segment?") if segments else t("No segment is saved yet: carillon segment save makes one.")
    return [card(text, rows)]


def _segment_label(talk: Talk, segment: Any) -> str:
    return (
        segment.name
        if segment.last_count is None
        else f"{short(segment.name, 24)} · {talk.t.number(segment.last_count)}"
    )


async def use_segment(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    name = chosen([one.name for one in await talk.store.segments.list()], short_name)
    return [await _card(talk, await _changed(talk, mailing, {**mailing.draft.audience, "segment": name}))]
