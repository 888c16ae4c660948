"""Numbers: of one mailing, of a period, as text in columns. What a messenger does not report is said, never a 0."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot.dialogs import spoken
from bot.dialogs.live import bar, why
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    find_mailing,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    short,
    turner,
)
from bot.screens import Said, Screen
from bot.texts import Texts, _
from engine.statistics import CLICKS
from gateways.base import ReceiptState
from storage.records import Mailing, Status

if TYPE_CHECKING:
    from engine.operations import Summary

PERIODS = {"today": _("Today"), "week": _("Last 7 days"), "month": _("Last 30 days"), "all": _("Since the beginning")}
_PERIOD_WORDS = {"day": "today", "yesterday": "today", "7": "week", "30": "month", "everything": "all", "total": "all"}
_SUMMED = (
    "audience",
    "planned",
    "sent",
    "failed",
    "waiting",
    "skipped",
    "cancelled",
    "unknown",
    "unsubscribed",
    "orders",
    "sales",
)


async def open_stats(talk: Talk, page: str = "0") -> Screens:
    """Choose a mailing or a period."""
    t = talk.t
    at = int(page)
    talk.ask("s.which")
    started = await _started(talk)
    shown = started[at * PAGE : (at + 1) * PAGE]
    rows: Rows = [tuple(button(t(title), "s:since", name) for name, title in list(PERIODS.items())[:3])]
    rows += in_rows([button(f"#{one.id} {short(one.name, 20)}", "s:of", one.id) for one in shown], 2)
    rows += turner(talk, at, len(started) > (at + 1) * PAGE, "s")
    text = paragraphs(
        t("<b>Statistics</b>"),
        t("Of which mailing, or of what time? Press it, or type a number or a piece of the name.")
        if started
        else t("Nothing has been sent yet: the numbers come with the first mailing."),
    )
    return [card(text, [*rows, footer(talk)], ask=t.plain("A mailing's number or name, or week"))]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/stats, /stats 7, /stats spring, /stats week"""
    if not words.strip():
        return await open_stats(talk)
    if answer := await hear_question(talk, words):
        return answer
    return [await _card(talk, await find_mailing(talk, words))]


async def hear_question(talk: Talk, words: str) -> Screens | None:
    """The answer to "how did yesterday's go?" in any of our languages; None where it is no such question."""
    match spoken.time_of(words):
        case None:
            name = spoken.mailing_of(words)
            found = await talk.operations.list_mailings(search=name, limit=1) if name else []
            return await open_of(talk, str(found[0].id)) if found else None
        case "last":
            return await _open_last(talk)
        case "yesterday":
            return await _open_yesterday(talk)
        case period:
            return await open_period(talk, period)


async def _open_last(talk: Talk) -> Screens:
    started = await _started(talk)
    return [await _card(talk, await talk.operations.get(started[0].id))] if started else await open_stats(talk)


async def _open_yesterday(talk: Talk) -> Screens:
    """The one of yesterday; where there were several, the choice of them."""
    t = talk.t
    day = _since(talk, "today").date() - timedelta(days=1)
    zone = ZoneInfo(t.timezone)
    found = [one for one in await _started(talk) if (one.start_at or one.created_at).astimezone(zone).date() == day]
    if len(found) == 1:
        return [await _card(talk, await talk.operations.get(found[0].id))]
    talk.ask("s.which")
    text = (
        t.plural("{count} mailing was started yesterday:", "{count} mailings were started yesterday:", len(found))
        if found
        else t("No mailing was started yesterday.")
    )
    rows = [(button(f"#{one.id} {short(one.name, 30)}", "s:of", one.id),) for one in found[:PAGE]]
    return [card(text, [*rows, footer(talk, button(t("◀ Statistics"), "s", 0))])]


async def _started(talk: Talk) -> "list[Summary]":
    found = await talk.operations.list_mailings(limit=50)
    return [one for one in found if one.status not in (Status.DRAFT, Status.SCHEDULED)]


async def hear_which(talk: Talk, said: Said) -> Screens:
    return await by_command(talk, plain_words(said))


async def open_of(talk: Talk, mailing_id: str) -> Screens:
    return [await _card(talk, await talk.operations.get(int(mailing_id)))]


async def _card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    talk.ask("s.which")
    back = [footer(talk, button(t("◀ Statistics"), "s", 0))]
    name = t("<b>{name}</b> · #{id}", name=mailing.draft.name, id=mailing.id)
    if mailing.status in (Status.DRAFT, Status.SCHEDULED):
        text = paragraphs(
            name, t("It is {status}: there are no numbers before it starts.", status=t.status(mailing.status))
        )
        return card(text, back)
    figures = await talk.operations.figures(mailing.id)
    began = mailing.started_at or mailing.launched_at
    text = paragraphs(
        lines(
            name,
            t("{status}, started {when}", status=t.status(figures["status"]), when=t.moment(began)) if began else None,
            why(t, figures),
            bar(t, figures) if mailing.status != Status.SENT else None,
        ),
        numbers(t, figures, _reporters(talk, figures)),
        _reasons(t, t("Failed"), figures.get("failures") or {}),
        _reasons(t, t("Skipped"), figures.get("skips") or {}),
        _reasons(t, t("Left out before the start"), figures.get("left_out") or {}),
        _channels(talk, figures),
    )
    rows: Rows = [(button(t("Refresh"), "s:of", mailing.id),)]
    if talk.may("compose"):
        rows[0] += (button(t("Open"), "m:open", mailing.id),)
    return card(text, [*rows, *back], ask=t.plain("Another mailing, by number or name"))


def numbers(t: Texts, figures: Mapping[str, Any], reporters: str) -> str:
    """The numbers in two columns. `reporters` names the messengers, for what they do not report."""
    clicked: Mapping[str, Any] = figures.get("clicked") or {}
    rows = [
        (t("Audience"), figures.get("audience")),
        (t("Planned"), figures.get("planned")),
        (t("Sent"), figures.get("sent")),
        (t("Failed"), figures.get("failed")),
        (t("Waiting"), figures.get("waiting") or None),
        (t("Skipped"), figures.get("skipped") or None),
        (t("Cancelled"), figures.get("cancelled") or None),
        (t("Unknown"), figures.get("unknown") or None),
    ]
    told = [(words, t.number(amount)) for words, amount in rows if amount is not None]
    told += [
        (t("Delivered"), _reported(t, figures, "delivered", reporters)),
        (t("Read"), _reported(t, figures, "read", reporters)),
        (t("Clicked"), t.number(clicked.get("any") or 0)),
        (t("– a link"), _links(t, clicked)),
    ]
    told += [
        (words, t.number(clicked[name]))
        for name, words in (("message", t("– a message button")), ("buy", t("– a buy button")))
        if clicked.get(name)
    ]
    told.append((t("Unsubscribed"), t.number(figures.get("unsubscribed") or 0)))
    if figures.get("orders"):
        told += [(t("Orders"), t.number(figures["orders"])), (t("Sales"), t.number(figures.get("sales") or 0))]
    told += [
        (t("Revenue"), f"{amount} {currency}") for currency, amount in sorted((figures.get("revenue") or {}).items())
    ]
    return columns(told)


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Words left, numbers right, in letters of one width."""
    wide = max((len(words) for words, _number in rows), default=0)
    high = max((len(number) for _words, number in rows if _is_number(number)), default=0)
    body = "\n".join(
        f"{words:<{wide}}  {f'{number:>{high}}' if _is_number(number) else number}" for words, number in rows
    )
    return f"<pre>{body}</pre>"


def _is_number(words: str) -> bool:
    return words[:1].isdecimal()


def _reported(t: Texts, figures: Mapping[str, Any], name: str, reporters: str) -> str:
    """A number of receipts, with "at least" where not everybody's messenger reports; or who does not report it."""
    amount = figures.get(name)
    if amount is None:
        return t("not reported by {messengers}", messengers=reporters)
    of = figures.get(f"{name}_of")
    if of is None or of >= figures.get("sent", 0):
        return t.number(amount)
    if of == 0:
        return t("at least {amount}", amount=t.number(amount))
    return t("at least {amount} of {of}", amount=t.number(amount), of=t.number(of))


def _links(t: Texts, clicked: Mapping[str, Any]) -> str:
    """Links are counted only where they lead through us."""
    if clicked.get("link") is None:
        return t("not counted")
    return t.number(clicked["link"] + (clicked.get("text_link") or 0))


def _reporters(talk: Talk, figures: Mapping[str, Any]) -> str:
    """The messengers of a mailing that report nothing, by name."""
    silent = [channel for channel, one in (figures.get("by_channel") or {}).items() if one.get("delivered") is None]
    known = [talk.settings.channels[channel].able for channel in silent if channel in talk.settings.channels]
    titles = list(dict.fromkeys(able.title for able in known))
    return ", ".join(titles) or _silent(talk)


def _reasons(t: Texts, title: str, amounts: Mapping[str, int]) -> str | None:
    return t("{title}: {reasons}", title=title, reasons=t.reasons(amounts)) if any(amounts.values()) else None


def _channels(talk: Talk, figures: Mapping[str, Any]) -> str | None:
    t = talk.t
    by_channel: Mapping[str, Mapping[str, Any]] = figures.get("by_channel") or {}
    if len(by_channel) < 2:
        return None
    rows = [
        (
            channel,
            t(
                "{sent} of {planned}, failed {failed}",
                sent=t.number(one["sent"]),
                planned=t.number(one["planned"]),
                failed=t.number(one["failed"]),
            ),
        )
        for channel, one in sorted(by_channel.items())
    ]
    return "\n".join(t("{channel}: {numbers}", channel=channel, numbers=told) for channel, told in rows)


# --- a period ---


async def open_period(talk: Talk, period: str) -> Screens:
    t = talk.t
    period = period if period in PERIODS else "week"
    since = _since(talk, period)
    totals = await talk.operations.totals(since)
    talk.ask("s.which")
    text = paragraphs(
        t("<b>{period}</b>", period=t(PERIODS[period])),
        t("Since {day}", day=t.moment(since)) if period != "all" else None,
        _totals(talk, totals),
    )
    rows: Rows = [
        tuple(button(t(title), "s:since", name) for name, title in list(PERIODS.items()) if name != period),
        footer(talk, button(t("◀ Statistics"), "s", 0)),
    ]
    return [card(text, rows, ask=t.plain("A mailing's number or name, or week"))]


def _totals(talk: Talk, totals: Mapping[str, Any]) -> str:
    t = talk.t
    if not totals.get("mailings"):
        return t("No mailing was launched in this time.")
    count = t.plural("{count} mailing was launched.", "{count} mailings were launched.", totals["mailings"])
    return paragraphs(count, numbers(t, _as_figures(talk, totals), _silent(talk)))


def _as_figures(talk: Talk, totals: Mapping[str, Any]) -> dict[str, Any]:
    """Summed counters as the figures of one mailing: what no messenger reports is None."""
    kinds = [channel.able for channel in talk.settings.channels.values()]
    amounts: dict[str, Any] = {name: totals.get(name, 0) for name in _SUMMED}
    for name, state in (("delivered", ReceiptState.DELIVERED), ("read", ReceiptState.READ)):
        reporting = [able for able in kinds if state in able.receipts]
        amounts[name] = totals.get(name, 0) if reporting else None
        amounts[f"{name}_of"] = 0 if len(reporting) < len(kinds) else None
    clicked = {name: totals.get(f"clicked:{name}", 0) for name in CLICKS}
    if not talk.settings.links_counted:
        clicked |= {"link": None, "text_link": None}
    return {**amounts, "clicked": clicked, "revenue": totals.get("revenue", {})}


def _silent(talk: Talk) -> str:
    kinds = [channel.able for channel in talk.settings.channels.values()]
    silent = dict.fromkeys(able.title for able in kinds if ReceiptState.DELIVERED not in able.receipts)
    return ", ".join(silent) or talk.t("the messenger")


def _since(talk: Talk, period: str) -> datetime:
    """The beginning of a period, by the person's own days."""
    zone = ZoneInfo(talk.t.timezone)
    today = talk.clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "today":
            return today
        case "week":
            return today - timedelta(days=6)
        case "month":
            return today - timedelta(days=29)
        case _:
            return datetime(2000, 1, 1, tzinfo=zone)
