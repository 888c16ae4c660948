"""Numbers: of which mailing, or of what time? One mailing with its picture; a question in words.

What a messenger does not report is said, and is never a 0."""

from collections.abc import Mapping
from typing import Any

from bot.charts import draw_channels, draw_mailing, draw_reasons, drawn
from bot.dialogs import comparing, spans, spoken
from bot.dialogs.live import bar, why
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    footer,
    in_rows,
    lines,
    number_of,
    paragraphs,
    plain_words,
    short,
    turner,
)
from bot.numbers import columns, notes, rows_of, title_of
from bot.periods import PERIODS, days_of
from bot.reports import report_of
from bot.screens import Said, Screen
from bot.texts import Html, Texts, _
from engine.errors import NotFound
from storage.records import Mailing, Status

_SHOWN = ("today", "week", "month")
_MOST_BEGUN = 50


async def open_stats(talk: Talk, page: str = "0") -> Screens:
    """Choose a mailing or a period."""
    t = talk.t
    at = int(page)
    talk.ask("s.which")
    days = days_of("all", talk.clock.now(), t.timezone)
    found = await talk.operations.begun(days.begin, days.end, limit=PAGE + 1, offset=at * PAGE)
    rows: Rows = [tuple(button(t(PERIODS[name]), "s:since", name) for name in _SHOWN)]
    rows += in_rows([_named(one, 20) for one in found[:PAGE]], 2)
    rows += turner(talk, at, len(found) > PAGE, "s")
    if found and len(talk.settings.channels) > 1:
        rows.append((button(t("By channel"), "s:chan", "month"),))
    rows.append((button(t("Numbers each day or week"), "d"),))
    text = paragraphs(
        t("<b>Statistics</b>"),
        t("Of which mailing, or of what time? Press it, or type a number or a piece of the name.")
        if found
        else t("Nothing has been sent yet: the numbers come with the first mailing."),
        t("Type two numbers, such as <code>7 5</code>, and I compare them.") if len(found) > 1 else None,
    )
    return [card(text, [*rows, footer(talk)], ask=t.plain("A mailing's number or name, or week"))]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/stats, /stats 7, /stats 7 5, /stats spring, /stats week, /stats tg-shop month, /stats compare"""
    if not words.strip():
        return await open_stats(talk)
    if answer := await hear_question(talk, words) or await spans.hear_channel(talk, words):
        return answer
    if two := spoken.two_numbers(words):
        return await comparing.open_two(talk, *two)
    return await _find(talk, words.strip())


async def hear_which(talk: Talk, said: Said) -> Screens:
    return await by_command(talk, plain_words(said))


async def hear_question(talk: Talk, words: str) -> Screens | None:
    """The answer to "how did yesterday's go?" in any of our languages; None where it is no such question."""
    if (compared := spoken.compared(words)) is not None:
        return await comparing.hear(talk, compared)
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
            return await spans.open_period(talk, period)


async def open_of(talk: Talk, mailing_id: str) -> Screens:
    return [await _card(talk, await talk.operations.get(int(mailing_id)))]


async def open_reasons(talk: Talk, mailing_id: str) -> Screens:
    """Who did not get it, by reason."""
    t, mailing = talk.t, await talk.operations.get(int(mailing_id))
    figures = await talk.operations.figures(mailing.id)
    told = [
        _reasons(t, t("Failed"), figures["failures"]),
        _reasons(t, t("Skipped"), figures["skips"]),
        _reasons(t, t("Left out before the start"), figures["left_out"]),
    ]
    text = paragraphs(_named_text(t, mailing), *told)
    if not any(told):
        return [card(paragraphs(text, t("Nobody was left out, and nobody failed.")), [_back(talk, mailing)])]
    picture = await drawn(draw_reasons, t, mailing.draft.name, _under(t, mailing, figures), figures)
    return [card(text, [_back(talk, mailing)], picture=picture)]


async def open_channels(talk: Talk, mailing_id: str) -> Screens:
    """The channels of a mailing side by side."""
    t, mailing = talk.t, await talk.operations.get(int(mailing_id))
    figures, by_channel = await talk.operations.figures(mailing.id), await talk.operations.channels_of(mailing.id)
    text = paragraphs(_named_text(t, mailing), spans.channels_text(talk, by_channel), notes(t, figures, talk.settings))
    named = [
        (f"{channel} · {title_of(channel, talk.settings)}", rows_of(t, one, talk.settings))
        for channel, one in by_channel.items()
    ]
    picture = await drawn(draw_channels, t, mailing.draft.name, _under(t, mailing, figures), named) if named else None
    return [card(text, [_back(talk, mailing)], picture=picture)]


async def send_table(talk: Talk, mailing_id: str) -> Screens:
    """The numbers as files."""
    t, mailing = talk.t, await talk.operations.get(int(mailing_id))
    text = t("The numbers of “{name}” as tables: CSV for programs, XLSX for Excel.", name=mailing.draft.name)
    return [Screen(text, rows=(_back(talk, mailing),), files=await report_of(talk.operations, mailing.id))]


async def _find(talk: Talk, words: str) -> Screens:
    """A mailing by its number or a piece of its name; where several have it, the choice of them."""
    t = talk.t
    if words.lstrip("#№").strip().isdecimal():
        return [await _card(talk, await talk.operations.get(number_of(words)))]
    found = await talk.operations.list_mailings(search=words, limit=PAGE)
    if not found:
        raise NotFound(
            _("No mailing has “{words}” in its name, and no channel is called so; /stats lists what there is."),
            words=short(words, 60),
        )
    if len(found) == 1:
        return await open_of(talk, str(found[0].id))
    talk.ask("s.which")
    rows: Rows = [(button(f"#{one.id} {short(one.name, 30)}", "s:of", one.id),) for one in found]
    text = t("Several mailings have “{words}” in their name. Which one?", words=short(words, 60))
    return [card(text, [*rows, footer(talk, button(t("◀ Statistics"), "s", 0))])]


async def _open_last(talk: Talk) -> Screens:
    days = days_of("all", talk.clock.now(), talk.t.timezone)
    found = await talk.operations.begun(days.begin, days.end, limit=1)
    return [await _card(talk, found[0])] if found else await open_stats(talk)


async def _open_yesterday(talk: Talk) -> Screens:
    """The one of yesterday; where there were several, all together with the choice of them."""
    t = talk.t
    days = days_of("yesterday", talk.clock.now(), t.timezone)
    found = await talk.operations.begun(days.begin, days.end, limit=2)
    if len(found) == 1:
        return [await _card(talk, found[0])]
    if found:
        return await spans.open_period(talk, "yesterday")
    talk.ask("s.which")
    rows: Rows = [(button(t("The last mailing"), "s:last"), button(t(PERIODS["week"]), "s:since", "week"))]
    return [card(t("No mailing was started yesterday."), [*rows, footer(talk, button(t("◀ Statistics"), "s", 0))])]


async def open_last(talk: Talk) -> Screens:
    return await _open_last(talk)


# --- the card of a mailing


async def _card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    talk.ask("s.which")
    talk.state["stats"] = mailing.id
    back = footer(talk, button(t("◀ Statistics"), "s", 0))
    if mailing.status in (Status.DRAFT, Status.SCHEDULED):
        text = t("It is {status}: there are no numbers before it starts.", status=t.status(mailing.status))
        return card(paragraphs(_named_text(t, mailing), text), [back])
    figures = await talk.operations.figures(mailing.id)
    rows = rows_of(t, figures, talk.settings)
    began = mailing.started_at or mailing.launched_at
    text = paragraphs(
        lines(
            _named_text(t, mailing),
            t("{status}, started {when}", status=t.status(figures["status"]), when=t.moment(began)) if began else None,
            why(t, figures),
            bar(t, figures) if mailing.status != Status.SENT else None,
        ),
        columns(t, rows),
        notes(t, figures, talk.settings),
        _reasons(t, t("Failed"), figures["failures"]),
        spans.channels_text(talk, figures["by_channel"]) if len(figures["by_channel"]) > 1 else None,
    )
    timeline = await talk.operations.timeline(mailing.id)
    under = _under(t, mailing, figures)
    picture = await drawn(draw_mailing, t, mailing.draft.name, under, rows, timeline)
    return card(
        text, [*_ways(talk, mailing, figures), back], picture=picture, ask=t.plain("Another mailing, by number or name")
    )


def _ways(talk: Talk, mailing: Mailing, figures: Mapping[str, Any]) -> Rows:
    """What else can be asked of it."""
    t = talk.t
    asked = []
    if any(figures[name] for name in ("failures", "skips", "left_out")):
        asked.append(button(t("Why some did not get it"), "s:why", mailing.id))
    if len(figures["by_channel"]) > 1:
        asked.append(button(t("By channel"), "s:by", mailing.id))
    asked += [button(t("Compare"), "s:with", mailing.id), button(t("As a table"), "s:file", mailing.id)]
    rows: Rows = [(button(t("Refresh"), "s:of", mailing.id),)]
    if talk.may("compose"):
        rows[0] += (button(t("Open"), "m:open", mailing.id),)
    return [*rows, *in_rows(asked, 2)]


def _named_text(t: Texts, mailing: Mailing) -> Html:
    return t("<b>{name}</b> · #{id}", name=mailing.draft.name, id=mailing.id)


def _under(t: Texts, mailing: Mailing, figures: Mapping[str, Any]) -> str:
    began = mailing.started_at or mailing.launched_at or mailing.created_at
    return f"#{mailing.id} · {t.status(figures['status'])} · {t.moment(began)}"


def _named(mailing: Mailing, most: int) -> Any:
    return button(f"#{mailing.id} {short(mailing.draft.name, most)}", "s:of", mailing.id)


def _back(talk: Talk, mailing: Mailing) -> tuple[Any, ...]:
    return footer(talk, button(talk.t("◀ Back"), "s:of", mailing.id))


def _reasons(t: Texts, title: str, amounts: Mapping[str, int]) -> Html | None:
    return t("{title}: {reasons}", title=title, reasons=t.reasons(amounts)) if any(amounts.values()) else None
