"""Every word that a person reads: gettext for sentences, Babel for numbers and dates.

Sentences are English message ids with {names}. A value is escaped for the card in which it stands, unless it is `Html`;
so a client's or an operator's text can't break a card.
"""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot.languages import retold, translations_of
from engine.errors import Invalid
from engine.schedule import Moment, describe_start


class Html(str):
    """Text that is in our HTML subset already."""

    __slots__ = ()


def _(words: str) -> str:
    """Mark a sentence that stands in a table; `Texts` translates it where it is shown."""
    return words


class Texts:
    """The words of one person: a language and a time zone."""

    def __init__(self, locale: str = "en", timezone: str = "UTC") -> None:
        self.locale = locale
        self.timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._catalogue = translations_of(locale)

    def __call__(self, words: str, /, **values: object) -> Html:
        """The sentence in this language, filled with values."""
        return self._fill(self._catalogue.gettext(words), values)

    def plural(self, one: str, many: str, count: int, /, **values: object) -> Html:
        """The sentence in the form that `count` asks for; {count} in it is the number as this language writes it."""
        return self._fill(self._catalogue.ngettext(one, many, count), {"count": self.number(count), **values})

    def plain(self, words: str, /, **values: object) -> str:
        """The sentence for a button or an input field, where nothing is markup."""
        translated = self._catalogue.gettext(words)
        return translated.format(**self._ours(values)) if values else translated

    def plain_plural(self, one: str, many: str, count: int, /, **values: object) -> str:
        translated = self._catalogue.ngettext(one, many, count)
        return translated.format(**{"count": self.number(count), **self._ours(values)})

    def error(self, error: Invalid) -> Html:
        """The sentence of a refusal, for a card; it is plain text, whatever signs stand in it."""
        return self._fill(html.escape(self._catalogue.gettext(error.words), quote=False), error.values)

    def plain_error(self, error: Invalid) -> str:
        """The same where nothing is markup."""
        return self.plain(error.words, **error.values)

    def told(self, words: str) -> Html:
        """A sentence that was kept in English, for a card; `bot.languages.retold` says how far it is translated."""
        return Html(html.escape(retold(words, self.locale), quote=False))

    def _ours(self, values: Mapping[str, object]) -> dict[str, object]:
        """The values in this language: some are words or sentences of ours themselves, by the name that they fill."""
        return {name: self._value(name, value) for name, value in values.items()}

    def _value(self, name: str, value: object) -> object:
        match value:
            case Html():
                return value
            case Invalid():  # a refusal may give another one as its reason
                return self.plain_error(value)
            case Moment():
                return describe_start(value.instant, value.timezone, self.locale)
            case int() if name in _AMOUNTS:
                return self.number(value)
            case Mapping():
                return self.reasons(value)
            case str() if name == "comparison":  # a file's word for it, which people type as a sign
                return _SIGNS.get(value, value)
            case str() if name in _WORDS_OF_OURS:
                named = STATUSES.get(value) or REASONS.get(value)
                return self._catalogue.gettext(named) if named else retold(value, self.locale)
            case _:
                return value

    def number(self, value: float) -> str:
        from babel.numbers import format_decimal

        return format_decimal(value, format="#,##0.#", locale=self.locale)

    def money(self, amount: Decimal, currency: str) -> str:
        """As this language writes it; a small price keeps what stands behind its cents."""
        from babel.numbers import format_currency

        exact = amount.quantize(Decimal("0.01")) != amount
        return format_currency(
            amount,
            currency,
            format="#,##0.00## ¤¤" if exact else "#,##0.00 ¤¤",
            locale=self.locale,
            currency_digits=not exact,
        )

    def share(self, part: float) -> str:
        """A share from 0 to 1 as a whole percentage; never "100 %" before the end, never "0 %" after the beginning."""
        percent = min(max(round(part * 100), 1 if part > 0 else 0), 100 if part >= 1 else 99)
        from babel.numbers import format_percent

        return format_percent(percent / 100, locale=self.locale)

    def moment(self, at: datetime, timezone: str | None = None) -> str:
        """A date and a time of day with its zone, always: "Sun, 22 Nov 2026, 10:00 (Europe/Kyiv)"."""
        zone = timezone or self.timezone
        return f"{self.local(at.astimezone(ZoneInfo(zone)))} ({zone})"

    def local(self, at: datetime) -> str:
        """A date and a time of day as they stand, without a zone."""
        from babel.dates import format_datetime

        return format_datetime(at.replace(tzinfo=None), "EEE, d MMM yyyy, HH:mm", locale=self.locale)

    def day(self, at: datetime) -> str:
        from babel.dates import format_datetime

        return format_datetime(at.astimezone(self._zone).replace(tzinfo=None), "d MMM yyyy", locale=self.locale)

    def clock(self, at: datetime) -> str:
        """The time of day in the person's zone."""
        return at.astimezone(self._zone).strftime("%H:%M")

    def span(self, seconds: float) -> str:
        """A length of time in its two largest units: "1 h 5 min", "40 s"."""
        whole = max(round(seconds), 0)
        days, rest = divmod(whole, 86400)
        hours, rest = divmod(rest, 3600)
        minutes, left = divmod(rest, 60)
        units = list(zip((days, hours, minutes, left), _UNITS, strict=True))
        first = next((place for place, (amount, _unit) in enumerate(units) if amount), len(units) - 1)
        shown = [one for one in units[first : first + 2] if one[0] or first == len(units) - 1]
        return " ".join(self(unit, n=amount) for amount, unit in shown)

    def listed(self, words: Sequence[str]) -> Html:
        """The words one after another, escaped."""
        return Html(", ".join(word if isinstance(word, Html) else html.escape(word, quote=False) for word in words))

    def status(self, status: str) -> Html:
        return self(STATUSES.get(status, status))

    def reason(self, reason: str) -> Html:
        """A reason under which deliveries are counted, in words."""
        return self(REASONS[reason]) if reason in REASONS else Html(html.escape(reason.replace("_", " ")))

    def reasons(self, amounts: Mapping[str, int]) -> Html:
        """How many for each reason, the most first."""
        most_first = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
        words = _("{count} {reason}")
        return self.listed(
            [self(words, count=self.number(n), reason=self.reason(reason)) for reason, n in most_first if n]
        )

    def ago(self, at: datetime, now: datetime) -> Html:
        """How long ago it was, or the day where that says more."""
        passed = now - at
        if passed < timedelta(minutes=1):
            return self(_JUST_NOW)
        if passed < timedelta(days=2):
            return self(_AGO, span=self.span(passed.total_seconds() // 60 * 60))
        return Html(self.day(at))

    def _fill(self, words: str, values: Mapping[str, object]) -> Html:
        filled = {name: _escaped(value) for name, value in self._ours(values).items()}
        return Html(words.format(**filled) if values else words)


_UNITS = (_("{n} d"), _("{n} h"), _("{n} min"), _("{n} s"))
_JUST_NOW = _("just now")
_AGO = _("{span} ago")
# {names} that words of ours fill, no client's and no operator's: they may have been kept, or come, in English.
_WORDS_OF_OURS = frozenset({"what", "status", "role", "reason", "why", "problem", "note", "example", "category"})
_SIGNS = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}
_AMOUNTS = frozenset({"above", "left", "needed"})  # {names} that numbers of clients and messages fill
_NAMED = (  # words that enums of the floors below have
    *(_("text"), _("picture"), _("album"), _("file"), _("video"), _("location"), _("carousel"), _("template")),
    *(_("sent"), _("delivered"), _("read"), _("clicked"), _("failed")),
    *(_("approved"), _("pending"), _("rejected"), _("disabled"), _("deleted")),
    *(_("marketing"), _("utility"), _("authentication")),
)

STATUSES: Final = {
    "draft": _("draft"),
    "scheduled": _("scheduled"),
    "sending": _("sending"),
    "paused": _("paused"),
    "sent": _("finished"),
    "cancelled": _("cancelled"),
    "interrupted": _("stopped by itself"),
    "stopped": _("held by the stop switch"),
}

REASONS: Final = {
    # the address
    "blocked": _("blocked us"),
    "gone": _("gone from the messenger"),
    "unsubscribed": _("unsubscribed"),
    "no_address": _("no address"),
    "no_channel": _("their channel is not set up"),
    "not_found": _("address not found"),
    "deactivated": _("account deleted"),
    "never_subscribed": _("never wrote to us"),
    "is_bot": _("a bot"),
    "kicked": _("we were taken out of the chat"),
    "own_number": _("our own number"),
    "unreachable": _("not reachable on this messenger"),
    "old_app": _("their app is too old"),
    "erased": _("erased on request"),
    # the client, just now
    "outside_window": _("outside the messenger's reply window"),
    "capped": _("the messenger sends this client no more now"),
    "other_app": _("another app holds the conversation"),
    "deleted": _("the conversation was deleted"),
    "phone_needed": _("shows no phone, and the message needs one"),
    "not_allowed_in_country": _("not allowed in their country"),
    "no_rights": _("we may not write there"),
    "forbidden": _("the messenger forbids it"),
    # the message
    "rejected": _("rejected by the messenger"),
    "empty": _("the message is empty"),
    "too_long": _("too long"),
    "too_big": _("a file is too big"),
    "media": _("a file was not taken"),
    "buttons": _("the buttons were not taken"),
    "carousel": _("the cards were not taken"),
    "bad_link": _("a link is no address"),
    "template": _("a value was missing, or the template does not fit"),
    "template_paused": _("the template is paused"),
    "template_limit": _("the template may not be sent so often"),
    "spam": _("filtered as spam"),
    # the account
    "country": _("our account may not write to their country"),
    "region": _("messages to their country are switched off"),
    "not_allowed": _("not on the list of a test number"),
    "not_verified": _("a trial account may not write to them"),
    "limit": _("the account's limit is used up"),
    "channel": _("the channel is broken"),
    # the way there
    "unavailable": _("messenger not available"),
    "throttled": _("the messenger asked us to wait"),
    "expired": _("waited for too long at the provider"),
    "incomplete": _("only a part of it arrived"),
    "no_answer": _("the messenger did not answer"),
    "fault": _("something broke inside Carillon"),
    "interrupted_run": _("it may have gone out when Carillon stopped"),
    "failed_later": _("the messenger says that it failed"),
    "cancelled": _("cancelled"),
    # taking back and correcting
    "too_old": _("sent too long ago"),
    "never": _("their messenger does not allow it"),
    "shape": _("the new message is built differently"),
    "same": _("nothing changes there"),
    "message_gone": _("the client has deleted it"),
    "no_number": _("the messenger did not tell us its number"),
    "not_editable": _("the messenger does not let it be changed"),
    "channel_missing": _("the channel is in no configuration any more"),
}


def _escaped(value: object) -> object:
    if isinstance(value, Html) or not isinstance(value, str):
        return value
    return html.escape(value, quote=False)
