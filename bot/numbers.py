"""Figures in words: what stands in the answers, the charts, the digests and the page of statistics.

What a messenger does not report is said, and is never a 0."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.texts import Html, Texts
from engine.settings import EngineSettings
from gateways.base import ReceiptState

Figures = Mapping[str, Any]  # CONTRACT.md section 6, of one mailing, one channel, or many together

RECEIPTS: Final = ("delivered", "read")
_UNTOLD = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """A number: the `name` of the figure, what it is called, the number as it is told, and its share of what it can be
    at most. Both `amount` and `share` are None where there is none."""

    name: str
    words: str
    told: str
    amount: int | None = None
    share: float | None = None


def rows_of(t: Texts, figures: Figures, settings: EngineSettings) -> list[Row]:
    """Every number of a mailing, or of several, in the order in which people ask for them."""
    planned, sent = figures["planned"], figures["sent"]
    clicked: Mapping[str, int | None] = figures["clicked"]
    rows = [
        _row(t, "audience", t("Audience"), figures["audience"]),
        _row(t, "planned", t("Planned"), planned),
        _row(t, "sent", t("Sent"), sent, planned),
        _row(t, "failed", t("Failed"), figures["failed"], planned),
        *_if_any(t, figures),
        _receipt(t, "delivered", t("Delivered"), figures, settings),
        _receipt(t, "read", t("Read"), figures, settings),
        _row(t, "clicked", t("Clicked"), clicked["any"] or 0, sent),
        _links(t, clicked, sent),
        _row(t, "clicked.message", t("– a message button"), clicked["message"] or 0, sent),
        _row(t, "clicked.buy", t("– a buy button"), clicked["buy"] or 0, sent),
        _row(t, "unsubscribed", t("Unsubscribed"), figures["unsubscribed"], sent),
        _row(t, "orders", t("Orders"), figures["orders"]),
        _row(t, "sales", t("Sales"), figures["sales"]),
    ]
    return [*rows, *(Row("revenue", t("Revenue"), f"{amount} {currency}") for currency, amount in _revenue(figures))]


def _if_any(t: Texts, figures: Figures) -> list[Row]:
    named = (
        ("waiting", t("Waiting")),
        ("skipped", t("Skipped")),
        ("cancelled", t("Cancelled")),
        ("unknown", t("Unknown")),
    )
    return [_row(t, name, words, figures[name], figures["planned"]) for name, words in named if figures[name]]


def _row(t: Texts, name: str, words: str, amount: int, of: int | None = None) -> Row:
    return Row(name, words, t.number(amount), amount, amount / of if of else None)


def _receipt(t: Texts, name: str, words: str, figures: Figures, settings: EngineSettings) -> Row:
    """A number of receipts, "at least" where not everybody's messenger reports it; or who does not."""
    amount, of = figures[name], figures[f"{name}_of"]
    if amount is None:
        messengers = silent(figures, name, settings)
        told = t("not reported by {messengers}", messengers=messengers) if messengers else _UNTOLD
        return Row(name, words, told)
    told = t.number(amount)
    if of < figures["sent"]:
        told = t("at least {amount}", amount=told)
    return Row(name, words, told, amount, amount / of if of else None)


def _links(t: Texts, clicked: Mapping[str, int | None], sent: int) -> Row:
    """Links are counted only where they lead through us."""
    if clicked["link"] is None:
        return Row("clicked.link", t("– a link"), t("not counted"))
    return _row(t, "clicked.link", t("– a link"), clicked["link"] + (clicked["text_link"] or 0), sent)


def _revenue(figures: Figures) -> Iterable[tuple[str, str]]:
    return sorted(figures["revenue"].items())


def silent(figures: Figures, name: str, settings: EngineSettings) -> str:
    """The messengers that these went by and that do not report it, by name; where they went by none yet, all that there
    are, if not one of them does."""
    by_channel = figures["by_channel"]
    channels = [channel for channel, one in by_channel.items() if one[name] is None]
    state = ReceiptState(name)
    if not by_channel and not any(state in channel.able.receipts for channel in settings.channels.values()):
        channels = list(settings.channels)
    return ", ".join(dict.fromkeys(title_of(channel, settings) for channel in channels))


def title_of(channel: str, settings: EngineSettings) -> str:
    """The messenger of a channel, by name; the channel itself where it is not set up any more."""
    known = settings.channels.get(channel)
    return known.able.title if known else channel


def notes(t: Texts, figures: Figures, settings: EngineSettings) -> Html | None:
    """Of how many delivered and read are told, where it is not of all, and who does not tell it."""
    told: dict[tuple[int, str], list[str]] = {}
    for name in RECEIPTS:
        of = figures[f"{name}_of"]
        if figures[name] is not None and of < figures["sent"]:
            told.setdefault((of, silent(figures, name, settings)), []).append(name)
    sentences = [
        t(
            "{numbers}: counted for {of} of the {sent} sent, not reported by {messengers}.",
            numbers=receipts_named(t, names),
            of=t.number(of),
            sent=t.number(figures["sent"]),
            messengers=messengers,
        )
        for (of, messengers), names in told.items()
    ]
    return Html("\n".join(sentences)) if sentences else None


def receipts_named(t: Texts, names: Sequence[str]) -> Html:
    if len(names) == len(RECEIPTS):
        return t("Delivered and read")
    return t("Delivered") if names[0] == "delivered" else t("Read")


def percent(t: Texts, share: float) -> str:
    """A share as it is read: "94%", "3.2%", and never 0 where there is somebody."""
    if share >= 0.1 or share <= 0:
        return t.share(share)
    from babel import Locale
    from babel.numbers import format_percent

    shape = str(Locale.parse(t.locale).percent_formats[None].pattern).replace("0", "0.#", 1)
    return format_percent(max(share, 0.001), format=shape, locale=t.locale)


def columns(t: Texts, rows: Sequence[Row]) -> Html:
    """Words left, numbers and shares right, in letters of one width."""
    wide = max((len(row.words) for row in rows), default=0)
    high = max((len(row.told) for row in rows if _is_number(row)), default=0)
    far = max((len(percent(t, row.share)) for row in rows if row.share), default=0)
    return Html("<pre>" + "\n".join(_line(t, row, wide, high, far) for row in rows) + "</pre>")


def _line(t: Texts, row: Row, wide: int, high: int, far: int) -> str:
    share = percent(t, row.share) if row.share else ""
    if _is_number(row):
        return f"{row.words:<{wide}}  {row.told:>{high}}  {share:>{far}}".rstrip()
    return f"{row.words:<{wide}}  {row.told}{f' ({share})' if share else ''}"


def _is_number(row: Row) -> bool:
    return row.told[:1].isdecimal()
