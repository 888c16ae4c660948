"""By which channels it goes: each client's main one, or those that were chosen by hand."""

from typing import Any

from bot.dialogs import compose
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    in_rows,
    paragraphs,
    primary,
)
from bot.dialogs.targets import of_draft, said_count
from bot.screens import Screen
from bot.texts import Html
from storage.records import Draft, Mailing, Routing


async def open_through(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [await _card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def _card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    draft = mailing.draft
    is_main = draft.routing is Routing.MAIN
    rows: Rows = [(button(_ticked(t("Each client's main channel"), is_main), "a:via+", "main", *here),)]
    labels = {
        channel: f"✓ {draft.channels.index(channel) + 1}. {channel}"
        if not is_main and channel in draft.channels
        else channel
        for channel in talk.settings.channels
    }
    rows += in_rows([button(label, "a:via=", digest(channel), *here) for channel, label in labels.items()], 2)
    if not is_main and len(draft.channels) > 1:
        cascade = draft.routing is Routing.CASCADE
        rows.append(
            (
                button(_ticked(t("One of them"), not cascade), "a:via+", "chosen", *here),
                button(_ticked(t("One after another"), cascade), "a:via+", "cascade", *here),
            )
        )
    rows.append((primary(t("Done"), "a", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "a", *here), leave=mailing.id))
    text = paragraphs(
        t("<b>By which channels?</b> Press those that it shall go through, the most important one first."),
        said_through(talk, draft),
        await said_count(talk, of_draft(mailing)),
    )
    return card(text, rows)


def _ticked(label: str, is_on: bool) -> str:
    return f"✓ {label}" if is_on else label


def said_through(talk: Talk, draft: Draft) -> Html:
    """How each client's channel is found."""
    t = talk.t
    channels = t.listed(list(draft.channels))
    match draft.routing:
        case Routing.MAIN:
            return t("Each client gets it on the main channel.")
        case Routing.CHOSEN if len(draft.channels) == 1:
            return t("Only through {channels}.", channels=channels)
        case Routing.CHOSEN:
            return t(
                "Only through {channels}: the main channel where it is one of them, else the first.", channels=channels
            )
        case Routing.CASCADE:
            return t("One after another, until it arrives: {channels}.", channels=channels)


async def turn(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    """A channel in, behind the others, or out."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    draft = mailing.draft
    channel = chosen(list(talk.settings.channels), short_name)
    now = () if draft.routing is Routing.MAIN else draft.channels
    channels = tuple(one for one in now if one != channel) if channel in now else (*now, channel)
    routing = draft.routing if draft.routing is Routing.CASCADE and len(channels) > 1 else Routing.CHOSEN
    return await _changed(talk, mailing, routing if channels else Routing.MAIN, channels)


async def set_routing(talk: Talk, routing: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    if routing not in list(Routing) or (routing != Routing.MAIN and not mailing.draft.channels):
        return [await _card(talk, mailing)]
    channels = () if routing == Routing.MAIN else mailing.draft.channels
    return await _changed(talk, mailing, Routing(routing), channels)


async def _changed(talk: Talk, mailing: Mailing, routing: Routing, channels: tuple[str, ...]) -> Screens:
    fields: dict[str, Any] = {"routing": routing, "channels": channels}
    return [await _card(talk, await compose.change(talk, mailing, **fields))]
