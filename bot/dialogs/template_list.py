"""Templates of the platforms, channel by channel: what became of each, and drafts of ours."""

from collections.abc import Mapping
from typing import Any

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
    primary,
    short,
    turner,
)
from bot.screens import Button, Screen
from bot.texts import Texts, _
from engine.errors import Invalid
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import NewTemplate, Template
from storage.written import WrittenState, WrittenTemplate

MARKS = {"approved": "✅", "pending": "⏳", "rejected": "❌", "paused": "⏸", "disabled": "⛔"}
_WHY = {  # reasons as Meta names them; …/webhooks/reference/message_template_status_update
    "abusive_content": _("something in it breaks WhatsApp's rules"),
    "incorrect_category": _("it belongs to another category"),
    "tag_content_mismatch": _("what it says does not fit its language or category"),
    "promotional": _("it advertises, and that does not fit its category"),
    "invalid_format": _("its fields or its form are not as they may be"),
    "scam": _("it looks like a fraud"),
}
_BODY = 120  # characters of a text in the list


def why(t: Texts, reason: str) -> str:
    """Why a template was rejected or paused, in words."""
    known = _WHY.get(reason.strip().lower())
    return t.plain(known) if known else reason.replace("_", " ")


def judged(t: Texts, of: Mapping[str, Any], settings: EngineSettings) -> Screen:
    """What became of one that was submitted, to be told unasked."""
    channel = settings.channels.get(str(of["channel"]))
    named = {"name": of["name"], "language": of["language"], "title": channel.able.title if channel else of["channel"]}
    because = t("Why: {why}", why=why(t, str(of["reason"]))) if of["reason"] else None
    moved = of["category"] != of["asked_category"] and of["status"] == "approved"
    text = lines(
        t(_JUDGED.get(of["status"], _CHANGED), status=of["status"], **named),
        because,
        t("It was moved to {category}: its price is another.", category=of["category"]) if moved else None,
        t("It can be picked in a mailing now, under Template.") if of["status"] == "approved" else None,
    )
    return Screen(text, ((button(t("Open the template"), "w:of", of["id"]), button(t("Templates"), "w")),))


_JUDGED = {
    "approved": _("✅ <b>{title} approved the template “{name}”</b> ({language})."),
    "rejected": _("❌ <b>{title} rejected the template “{name}”</b> ({language}). Write one like it, and submit that."),
    "lost": _("⚠ <b>{title} does not have the template “{name}”</b> ({language}): it is a draft again. Submit it."),
}
_CHANGED = _("⚠ <b>{title} says that the template “{name}”</b> ({language}) <b>is {status}.</b>")


def _channels(talk: Talk) -> list[ChannelSettings]:
    return [one for one in talk.settings.channels.values() if one.able.takes_templates]


def channel_at(talk: Talk, key: str) -> ChannelSettings:
    return talk.settings.channels[chosen([one.id for one in _channels(talk)], key)]


async def open_templates(talk: Talk, *_args: str) -> Screens:
    """/templates"""
    t = talk.t
    channels = _channels(talk)
    if not channels:
        raise Invalid(_("No messenger that takes templates is set up."))
    if len(channels) == 1:
        return await open_list(talk, digest(channels[0].id))
    rows: Rows = [(button(f"{one.id} · {one.able.title}", "w:list", digest(one.id)),) for one in channels]
    return [card(t("<b>Templates</b>: of which channel?"), [*rows, footer(talk)])]


async def open_list(talk: Talk, key: str, page: str = "0", note: str = "") -> Screens:
    """Drafts first, then what the platform knows of."""
    t = talk.t
    channel = channel_at(talk, key)
    written = await talk.store.written.of_channel(channel.id)
    listed = await _listed(talk, channel.id, written)
    every: list[WrittenTemplate | Template] = [*(one for one in written if _is_ours(one, listed)), *listed]
    first = int(page) * PAGE
    shown = every[first : first + PAGE]
    text = paragraphs(
        t("<b>Templates of {channel}</b> ({title})", channel=channel.id, title=channel.able.title),
        note or None,
        lines(*(_line(talk, one) for one in shown)) or t("None yet."),
        _read_when(talk, channel),
    )
    rows: Rows = [
        *in_rows([_opening(channel.id, one, written) for one in shown], 2),
        *turner(talk, int(page), len(every) > first + PAGE, "w:list", key),
    ]
    if channel.able.submits_templates:
        rows.append((primary(t("Write a template"), "w:new", key),))
    back = button(t("◀ Back"), "w") if len(_channels(talk)) > 1 else None
    return [card(text, [*rows, footer(talk, back)])]


async def _listed(talk: Talk, channel: str, written: list[WrittenTemplate]) -> list[Template]:
    """What the platform knows of; the last word of one that was just submitted is newer than the list."""
    known = {(one.name, one.language): one for one in await talk.store.templates.of_channel(channel)}
    for one in written:
        at = (one.new.name, one.new.language)
        if one.state is WrittenState.SUBMITTED and at not in known:
            known[at] = Template(*at, one.status, one.category, body=one.new.body, reason=one.reason)
    return [known[at] for at in sorted(known)]


def _is_ours(written: WrittenTemplate, listed: list[Template]) -> bool:
    """Whether it stands in the list by itself: nobody but us knows of it."""
    names = {(one.name, one.language) for one in listed}
    return written.state is not WrittenState.SUBMITTED and (
        written.state is WrittenState.DRAFT or (written.new.name, written.new.language) not in names
    )


def _line(talk: Talk, one: WrittenTemplate | Template) -> str:
    t = talk.t
    if isinstance(one, WrittenTemplate):
        state = t("draft") if one.state is WrittenState.DRAFT else t("being submitted")
        return t(
            "✏ <b>{name}</b> ({language}): {state}", name=name_of(t, one.new), language=_language(one), state=state
        )
    told = t(
        "{mark} <b>{name}</b> ({language}, {category}): {status}",
        mark=MARKS.get(one.status, "•"),
        name=one.name,
        language=one.language,
        category=one.category,
        status=one.status,
    )
    return told if not one.reason else t("{told}, because {why}", told=told, why=why(t, one.reason))


def name_of(t: Texts, new: NewTemplate) -> str:
    return new.name or t.plain("without a name")


def _language(written: WrittenTemplate) -> str:
    return written.new.language or "–"


def _opening(channel: str, one: WrittenTemplate | Template, written: list[WrittenTemplate]) -> Button:
    if isinstance(one, WrittenTemplate):
        return button(f"✏ {one.new.name or '…'} · {_language(one)}", "w:of", one.id)
    ours = next((each for each in written if _is_that(each, one)), None)
    label = f"{one.name} · {one.language}"
    if ours is not None:
        return button(label, "w:of", ours.id)
    return button(label, "w:one", digest(f"{one.name}\0{one.language}"), digest(channel))


def _is_that(written: WrittenTemplate, template: Template) -> bool:
    same = (written.new.name, written.new.language) == (template.name, template.language)
    return same and written.state is WrittenState.SUBMITTED


def _read_when(talk: Talk, channel: ChannelSettings) -> str:
    t = talk.t
    if not channel.able.submits_templates:
        return t("Templates of {title} are written in its own pages.", title=channel.able.title)
    return t(
        "I look at {title} every few minutes while one waits for its word, and tell you. One that was submitted is "
        "changed and deleted in {place}.",
        title=channel.able.title,
        place=channel.able.submits_templates,
    )


async def open_listed(talk: Talk, key: str, channel_key: str) -> Screens:
    """One that was not written here."""
    t = talk.t
    channel = channel_at(talk, channel_key)
    known = {f"{one.name}\0{one.language}": one for one in await talk.store.templates.of_channel(channel.id)}
    one = known[chosen(list(known), key)]
    text = paragraphs(
        _line(talk, one),
        t("<blockquote>{body}</blockquote>", body=short(one.body, 800)) if one.body else None,
        t("It was written in {place}.", place=channel.able.submits_templates or channel.able.title),
    )
    return [card(text, [footer(talk, button(t("◀ Back"), "w:list", channel_key))])]
