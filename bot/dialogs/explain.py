"""Why a client did or did not get a mailing, in chat: the outcome, what decides it, and what happened."""

from zoneinfo import ZoneInfo

from bot.dialogs.clients import choose_client, get_client, name_of
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
    primary,
    short,
)
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.audience import describe
from engine.errors import Invalid, NotFound
from engine.explaining import Explanation, Rule, RuleKind
from storage.deliveries import DeliveryRow
from storage.histories import Happened
from storage.opting import EVERYWHERE
from storage.records import ClientCard, DeliveryState

_ENDS = {
    DeliveryState.PLANNED: _("It waits for its turn on {channel}."),
    DeliveryState.SENDING: _("It is being sent on {channel} this moment."),
    DeliveryState.SENT: _("Sent: {channel} took it."),
    DeliveryState.DELIVERED: _("Delivered by {channel}."),
    DeliveryState.READ: _("Read on {channel}."),
    DeliveryState.FAILED: _("Not got: it failed on {channel}."),
    DeliveryState.SKIPPED: _("Not sent: just before sending on {channel} something spoke against it."),
    DeliveryState.CANCELLED: _("Not sent: the mailing was cancelled before its turn on {channel}."),
    DeliveryState.UNKNOWN: _("Unknown: the connection to {channel} broke before the answer came."),
}
_NOT_PLANNED = {
    "not_started": _("Not sent yet: the mailing has not started."),
    "came_later": _("Not sent: when the audience was formed, the client was not in it; now it would be."),
    "not_in_audience": _("Not sent: the client is not in the audience of the mailing."),
}
_SOURCES = {
    "keyword": _("by a word such as STOP"),
    "platform": _("by the messenger's own button"),
    "person": _("by one of us"),
    "page": _("by the link in a message"),
    "import": _("by an import"),
}
_HAPPENED = {
    "delivered": _("delivered on {channel}"),
    "read": _("read on {channel}"),
    "failed": _("{channel} says that it failed"),
    "clicked": _("pressed a button or followed a link"),
    "unsubscribed": _("unsubscribed"),
    "order": _("opened an order"),
    "taken_back": _("taken back on {channel}"),
    "corrected": _("corrected on {channel}"),
    "not_taken_back": _("{channel} could not take it back"),
    "not_corrected": _("{channel} could not correct it"),
}
_TRIED = {
    "sent": _("{channel} took it"),
    "failed": _("tried on {channel}: failed"),
    "unknown": _("tried on {channel}: no answer"),
    "planned": _("tried on {channel}: to be tried again"),
}
_WENT_OUT = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)
_SHOWN_EVENTS = 20


async def ask_why(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    talk.ask("k.why", client.id)
    recent = [one for one in await talk.operations.list_mailings(limit=20) if one.status != "draft"][:PAGE]
    rows = in_rows([button(f"#{one.id} {short(one.name, 20)}", "k:why!", client.id, one.id) for one in recent], 2)
    text = t("Which mailing did {name} get, or not get? Press it, or type its number.", name=name_of(client))
    return [
        card(text, [*rows, footer(talk, button(t("◀ Back"), "k:of", client.id))], ask=t.plain("A mailing's number"))
    ]


async def hear_why(talk: Talk, said: Said, client_id: str) -> Screens:
    mailing = await find_mailing(talk, plain_words(said))
    return await why(talk, client_id, str(mailing.id))


async def why(talk: Talk, client_id: str, mailing_id: str) -> Screens:
    client = await get_client(talk, client_id)
    return [await _why_card(talk, client, int(mailing_id))]


async def why_by_command(talk: Talk, words: str = "") -> Screens:
    """/why 7 Ann"""
    number, _space, who = words.strip().partition(" ")
    if not number or not who.strip():
        raise Invalid(_("Type a mailing's number and a client, such as: /why 7 Ann. Or find the client in /clients."))
    mailing = await find_mailing(talk, number)
    found = await talk.store.clients.find(who.strip(), limit=PAGE)
    if not found:
        raise NotFound(
            _("I find no client “{words}”: type a piece of the name, a phone or an id."), words=short(who, 60)
        )
    if len(found) == 1:
        return [await _why_card(talk, found[0], mailing.id)]
    return [choose_client(talk, talk.t("Which of them?"), found, "k:why!", mailing.id)]


async def _why_card(talk: Talk, client: ClientCard, mailing_id: int) -> Screen:
    t = talk.t
    told = await talk.operations.explain(mailing_id, client)
    happened = [line for line in (_happened(talk, one) for one in told.happened[:_SHOWN_EVENTS]) if line]
    text = paragraphs(
        t("<b>{name} and “{mailing}”</b>", name=name_of(client), mailing=told.mailing.draft.name),
        _what_happened(talk, told.delivery) if told.delivery is not None else _why_not(talk, told.word),
        lines(t("<b>What decides</b>, as it is now:"), *_rules(talk, told)),
        lines(t("<b>What happened</b>"), *happened) if happened else None,
    )
    rows: Rows = [
        (primary(t("The client"), "k:of", client.id), button(t("The mailing"), "m:open", mailing_id)),
        footer(talk, button(t("◀ Back"), "k:why", client.id)),
    ]
    return card(text, rows)


def _what_happened(talk: Talk, delivery: DeliveryRow) -> str:
    """The delivery in one or two sentences."""
    t = talk.t
    head = t(_ENDS[delivery.state], channel=delivery.channel)
    words = _("It went out {when}.") if delivery.state in _WENT_OUT else _("Last tried {when}.")
    when = t(words, when=t.moment(delivery.finished_at)) if delivery.finished_at else None
    why = t("Reason: {reason}.", reason=t.reason(delivery.reason)) if delivery.reason else None
    said = t("The messenger said: {words}", words=t.told(delivery.words)) if delivery.words else None
    return lines(head, why, said, when)


def _why_not(talk: Talk, word: str) -> str:
    t = talk.t
    if word in _NOT_PLANNED:
        return t(_NOT_PLANNED[word])
    return t("Not sent: left out before the start, {reason}.", reason=t.reason(word))


def _rules(talk: Talk, told: Explanation) -> list[Html]:
    return [Html(f"{'✓' if one.holds else '✗'} {_rule(talk, one)}") for one in told.rules]


def _rule(talk: Talk, rule: Rule) -> Html:
    t, of = talk.t, rule.details
    match rule.kind:
        case RuleKind.CONDITION:
            return t("{condition}", condition=describe(of["term"], t.plain))
        case RuleKind.OPT_OUT if rule.holds:
            return t("has not opted out")
        case RuleKind.OPT_OUT:
            how = t(_SOURCES[of["source"]]) if of["source"] in _SOURCES else ""
            if of["scope"] == EVERYWHERE:
                return t("opted out everywhere, {day}, {how}", day=t.day(of["at"]), how=how)
            return t("opted out on {channel}, {day}, {how}", channel=of["scope"], day=t.day(of["at"]), how=how)
        case RuleKind.CHANNEL:
            return t("has no address on {channels}", channels=", ".join(of["channels"]) or "–")
        case RuleKind.ADDRESS if rule.holds:
            return t("can be reached on {channel}", channel=of["channel"])
        case RuleKind.ADDRESS:
            return t(
                "{channel}: {reason} since {day}",
                channel=of["channel"],
                reason=t.reason(of["status"]),
                day=t.day(of["at"]),
            )


def _happened(talk: Talk, one: Happened) -> Html | None:
    """None for what is nobody's business, such as a program that looked behind a link."""
    t = talk.t
    words = _TRIED.get(one.details.get("outcome", "")) if one.what == "tried" else _HAPPENED.get(one.what)
    if words is None:
        return None
    told = t(words, channel=one.channel or "–")
    if one.details.get("reason"):
        told = t("{told} ({reason})", told=told, reason=t.reason(one.details["reason"]))
    return t("• {when}: {told}", when=t.local(one.at.astimezone(ZoneInfo(t.timezone))), told=told)
