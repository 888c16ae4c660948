"""Channels: what works, what does not and why, what is left of a package."""

import asyncio
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
from storage.channel_states import ChannelState

_MAX_TOPUP = 1_000_000_000


async def open_channels(talk: Talk, *_args: str) -> Screens:
    return await _show(talk)


async def ask_all(talk: Talk) -> Screens:
    """Ask every messenger now; what a broken channel answers is told, and one that is mended goes on."""
    t = talk.t

    async def ask(channel: str) -> str | None:
        try:
            await talk.operations.ask_channel(channel, talk.actor)
        except Invalid as error:
            return t("⚠ {why}", why=t.error(error))
        return None

    told = await asyncio.gather(*map(ask, talk.settings.channels))
    return await _show(talk, lines(*told) or t("✓ Every messenger answered."))


async def _show(talk: Talk, note: str | None = None) -> Screens:
    t = talk.t
    states = await talk.store.channel_states.all()
    told = [await _lines(talk, channel, states.get(channel.id)) for channel in talk.settings.channels.values()]
    stopped = await talk.operations.stopped()
    text = paragraphs(
        t("<b>Channels</b>"),
        note,
        t("⛔ Sending is stopped by {name}. An owner lifts it with /go.", name=stopped.name) if stopped else None,
        paragraphs(*told) or t("No channel is set up: [[channels]] in config.toml names them."),
    )
    rows: Rows = [
        (button(t.plain("Top up {channel}", channel=short(channel.id, 24)), "ch:top", digest(channel.id)),)
        for channel in talk.settings.channels.values()
        if channel.quota is not None and channel.quota.per == QuotaPer.PACKAGE and talk.may("topup")
    ]
    below = [button(t("Refresh"), "ch")]
    if talk.may("resume") and talk.settings.channels:
        below.append(button(t("Ask the messengers"), "ch:ask"))
    return [card(text, [*rows, tuple(below), footer(talk)])]


async def _lines(talk: Talk, channel: ChannelSettings, state: ChannelState | None) -> str:
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
        await _templates(talk, channel),
        *_told(talk, state),
    )


def _told(talk: Talk, state: ChannelState | None) -> list[str]:
    """What the messenger told of the account when it was asked last."""
    t = talk.t
    if state is None or state.checked_at is None:
        return [t("The messenger was not asked yet.")]
    limit = state.may_begin
    return [
        *([t("Link: {link}", link=state.link)] if state.link else []),
        t("Webhook: {url}", url=state.webhook) if state.webhook else t("No webhook is set."),
        *([t("{count} new conversations a day at most", count=t.number(limit))] if limit is not None else []),
        *(t("⚠ {warning}", warning=t.told(warning)) for warning in state.warnings),
        t("Asked {ago}.", ago=t.ago(state.checked_at, talk.clock.now())),
    ]


async def _templates(talk: Talk, channel: ChannelSettings) -> str | None:
    if not channel.able.takes_templates:
        return None
    listed = await talk.store.templates.of_channel(channel.id)
    approved = sum(one.status == "approved" for one in listed)
    return talk.t.plural(
        "{count} template, {approved} approved",
        "{count} templates, {approved} approved",
        len(listed),
        approved=talk.t.number(approved),
    )


def _works(talk: Talk, state: ChannelState | None) -> str:
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


def _quota(talk: Talk, channel: ChannelSettings, state: ChannelState | None) -> str | None:
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
