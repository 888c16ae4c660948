"""A few clients first: how many, how long the pause is, and what stops it then."""

import re
from collections.abc import Mapping
from dataclasses import replace

from bot.dialogs import compose
from bot.dialogs.talk import (
    Answer,
    Reads,
    Route,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    footer,
    in_rows,
    paragraphs,
    plain_words,
    primary,
)
from bot.screens import Button, Said, Screen
from bot.texts import Html, _
from engine.canary import require_canary
from engine.errors import Invalid
from storage.records import Canary, Mailing

FIRST = Canary(first=100)  # what is proposed
_SIZES = (50, 100, 500)
_PERCENTS = (1, 5)
_WAITS = (15, 30, 60, 240)  # minutes
_FAILED = (2, 5, 10)  # percent
_LEFT = (1, 2, 5)
_TYPED = re.compile(r"(\d{1,6})\s*(%|процент.*|відсот.*|percent)?", re.IGNORECASE)


async def open_canary(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [_card(talk, await compose.draft_at(talk, mailing_id, revision))]


def _card(talk: Talk, mailing: Mailing) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("l.few", *here)
    canary = mailing.draft.canary
    text = paragraphs(
        t("<b>A few clients first?</b> “{name}”", name=mailing.draft.name),
        t("They get it alone. After a pause all the others get it, or it stops and asks you if too much went wrong."),
        said_canary(talk, canary) or t("Now everybody gets it at once."),
    )
    rows: Rows = [tuple(_sizes(talk, canary, here))]
    if canary is not None:
        rows += _limits(talk, canary, here)
    rows.append((primary(t("Done ▶"), "l", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "l", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("How many first, such as: 200, or 2 %"))


def _sizes(talk: Talk, canary: Canary | None, here: tuple[int, int]) -> list[Button]:
    t = talk.t
    first, share = (canary.first, canary.share) if canary else (None, None)
    numbers = [_choice(t.number(each), first == each, "first", each, here) for each in _SIZES]
    percents = [_choice(f"{each} %", share == each / 100, "share", each, here) for each in _PERCENTS]
    return numbers + percents


def _limits(talk: Talk, canary: Canary, here: tuple[int, int]) -> Rows:
    """The pause, and what stops it."""
    t = talk.t

    def percents(words: str, what: str, now: float, offered: tuple[int, ...]) -> tuple[Button, ...]:
        return tuple(_choice(t(words, n=each), round(now * 100) == each, what, each, here) for each in offered)

    waits = [
        _choice(t("pause {span}", span=t.span(each * 60)), canary.wait_s == each * 60, "wait", each, here)
        for each in _WAITS
    ]
    return [
        *in_rows(waits, 2),
        percents(_("{n} % fail"), "fail", canary.failed_share, _FAILED),
        percents(_("{n} % unsubscribe"), "left", canary.unsubscribed_share, _LEFT),
        (danger(t("No, everybody at once"), "l:few=", "off", 0, *here),),
    ]


def _choice(label: str, is_chosen: bool, what: str, value: int, here: tuple[int, int]) -> Button:
    return button(f"✓ {label}" if is_chosen else label, "l:few=", what, value, *here)


async def choose(talk: Talk, what: str, value: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return await _change(talk, mailing, _changed(mailing.draft.canary or FIRST, what, int(value)))


def _changed(canary: Canary, what: str, value: int) -> Canary | None:
    match what:
        case "off":
            return None
        case "first":
            return replace(canary, first=value, share=None)
        case "share":
            return replace(canary, first=None, share=value / 100)
        case "wait":
            return replace(canary, wait_s=value * 60.0)
        case "fail":
            return replace(canary, failed_share=value / 100)
        case "left":
            return replace(canary, unsubscribed_share=value / 100)
        case _:
            return canary


async def _change(talk: Talk, mailing: Mailing, canary: Canary | None) -> Screens:
    if canary is not None:
        require_canary(canary)
    return [_card(talk, await compose.change(talk, mailing, canary=canary))]


async def hear_size(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    typed = _TYPED.fullmatch(plain_words(said).replace(" ", ""))
    if typed is None:
        raise Invalid(_("Type how many clients get it first: a number such as 200, or a share such as 2 %."))
    what = "share" if typed[2] else "first"
    return await _change(talk, mailing, _changed(mailing.draft.canary or FIRST, what, int(typed[1])))


def said_canary(reads: Reads, canary: Canary | None) -> Html | None:
    t = reads.t
    if canary is None:
        return None
    first = (
        t.plural("the first {count} client", "the first {count} clients", canary.first)
        if canary.first is not None
        else t("the first {share} of all", share=t.share(canary.share or 0.0))
    )
    return t(
        "A few first: {first}, then a pause of {span}. It goes on by itself unless more than {failed} fail or {left} "
        "unsubscribe.",
        first=first,
        span=t.span(canary.wait_s),
        failed=t.share(canary.failed_share),
        left=t.share(canary.unsubscribed_share),
    )


async def _fresh(talk: Talk, *args: str) -> Screens:
    return await compose.open_fresh(talk, args[-2])


PRESSES: Mapping[str, Route] = {
    "l:few": Route("compose", open_canary, "nn", _fresh),
    "l:few=": Route("compose", choose, "wnnn", _fresh),
}
ANSWERS: Mapping[str, Answer] = {"l.few": Answer("compose", hear_size, _fresh)}
