"""Channels: what works, what does not and why, what is left of a package."""

from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    lines,
    paragraphs,
    plain_words,
    short,
)
from bot.screens import Said
from bot.texts import _
from engine.errors import Invalid
from engine.settings import ChannelSettings, QuotaPer

_MAX_TOPUP = 1_000_000_000


async def open_channels(talk: Talk, *_args: str) -> Screens:
    t = talk.t
    states = await talk.store.channel_states.all()
    told = [_line(talk, channel, states.get(channel.id)) for channel in talk.settings.channels.values()]
    stopped = await talk.operations.stopped()
    text = paragraphs(
        t("<b>Channels</b>"),
        t("⛔ Sending is stopped by {name}. An owner lifts it with /go.", name=stopped.name) if stopped else None,
        paragraphs(*told) or t("No channel is set up: [[channels]] in config.toml names them."),
    )
    rows: Rows = [
        (button(t.plain("Top up {channel}", channel=short(channel.id, 24)), "ch:top", digest(channel.id)),)
        for channel in talk.settings.channels.values()
        if channel.quota is not None and channel.quota.per == QuotaPer.PACKAGE and talk.may("topup")
    ]
    return [card(text, [*rows, (button(t("Refresh"), "ch"),), footer(talk)])]


def _line(talk: Talk, channel: ChannelSettings, state: Any) -> str:
    t = talk.t
    title = channel.able.title
    head = t("<b>{id}</b> · {kind}", id=channel.id, kind=title)
    if state is not None and state.account_name:
        head = t("<b>{id}</b> · {kind}, {account}", id=channel.id, kind=title, account=state.account_name)
    return lines(
        head,
        _works(talk, state),
        t("{rate} messages a second at most", rate=t.number(channel.rate)),
        _quota(talk, channel, state),
    )


def _works(talk: Talk, state: Any) -> str:
    t = talk.t
    if state is not None and state.broken_at is not None:
        reason = state.reason or t("the messenger refuses us")
        return t(
            "⚠ Broken since {when}: {reason}. Mend it, then press Resume on its mailing.",
            when=t.moment(state.broken_at),
            reason=str(reason),
        )
    if state is not None and state.down_since is not None:
        return t("⏳ Not answering since {when}; it goes on by itself.", when=t.moment(state.down_since))
    if state is not None and state.throttled_until is not None and state.throttled_until > talk.clock.now():
        return t("⏳ The messenger asked us to wait until {when}.", when=t.clock(state.throttled_until))
    return t("✓ Works")


def _quota(talk: Talk, channel: ChannelSettings, state: Any) -> str | None:
    t = talk.t
    if channel.quota is None:
        return None
    if channel.quota.per == QuotaPer.PACKAGE:
        left = channel.quota.messages if state is None or state.package_left is None else state.package_left
        return t.plural("{count} message left in the package", "{count} messages left in the package", left)
    today = talk.clock.now().astimezone(ZoneInfo(talk.settings.timezone)).date().isoformat()
    used = state.sent_that_day if state is not None and state.sent_on == today else 0
    return t("{used} of {quota} used today", used=t.number(used), quota=t.number(channel.quota.messages))


async def ask_top_up(talk: Talk, short_name: str) -> Screens:
    t = talk.t
    channel = chosen(list(talk.settings.channels), short_name)
    talk.ask("ch.top", channel)
    text = t("How many messages shall be added to the package of {channel}? Type a number.", channel=channel)
    return [card(text, [footer(talk, button(t("◀ Back"), "ch"))], ask=t.plain("A number, such as 5000"))]


async def hear_top_up(talk: Talk, said: Said, channel: str) -> Screens:
    return await _top_up(talk, channel, plain_words(said))


async def top_up_by_command(talk: Talk, words: str = "") -> Screens:
    """/topup tg-shop 5000"""
    channel, _space, amount = words.strip().partition(" ")
    if not channel or not amount:
        raise Invalid(_("Type a channel and a number of messages, such as: /topup tg-shop 5000"))
    return await _top_up(talk, channel, amount)


async def _top_up(talk: Talk, channel: str, words: str) -> Screens:
    digits = "".join(words.replace(",", " ").split())
    if not digits.isdecimal() or not 0 < int(digits) <= _MAX_TOPUP:
        raise Invalid(_("Type how many messages to add, such as 5000."))
    await talk.operations.topup(channel, int(digits), talk.actor)
    return await open_channels(talk)
