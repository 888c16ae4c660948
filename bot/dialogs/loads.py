"""What each channel has to carry, in words: parts, segments, closed windows, and what a cascade tries next."""

from bot.dialogs.talk import Reads, lines
from bot.texts import Html, Texts
from engine.check import CheckCard
from engine.losses import Loss
from engine.reckoning import Leg, Load


def said_ways(talk: Reads, check: CheckCard) -> str | None:
    """For whom the message is, and who is tried where."""
    t = talk.t
    only = (
        t("Only for {messengers}: everybody who can be reached there gets it.", messengers=t.listed(check.only_for))
        if check.only_for
        else None
    )
    if not check.legs:
        return only
    return lines(
        only, t("One after another, until it arrives:"), *(_leg(talk, *one) for one in enumerate(check.legs, 1))
    )


def _leg(talk: Reads, number: int, leg: Leg) -> Html:
    t = talk.t
    first = t.plural("{count} client first", "{count} clients first", leg.first)
    named = {"number": number, "channel": leg.channel, "first": first, "then": leg.then or ""}
    if leg.then is None:
        return t("{number}. {channel}: {first}", **named)
    if leg.after_s is None:
        return t("{number}. {channel}: {first}; {then} where it is refused (no receipts here)", **named)
    span = t.span(leg.after_s)
    return t("{number}. {channel}: {first}; {then} where it is refused, or not delivered in {span}", **named, span=span)


def said_loss(t: Texts, title: str, loss: Loss) -> Html:
    """What a messenger changes; its name goes first where the sentence does not name it."""
    told = t(loss.words, **loss.values)
    return Html(f"⚠ {told}") if title in told else t("⚠ {title}: {loss}", title=title, loss=told)


def said_loads(talk: Reads, check: CheckCard) -> str | None:
    """What is worth saying of each channel; nothing where every client simply gets one message."""
    then = {leg.channel: leg.then for leg in check.legs}
    told = [
        line
        for load in check.loads
        for line in (_parts(talk, load), _units(talk, load), _window(talk, load, then.get(load.channel)))
        if line
    ]
    return lines(*told) or None


def _parts(talk: Reads, load: Load) -> str | None:
    if load.messages < 2:
        return None
    t = talk.t
    return t.plural(
        "{channel}: {count} message for each client",
        "{channel}: {count} messages for each client",
        load.messages,
        channel=load.channel,
    )


def _units(talk: Reads, load: Load) -> str | None:
    if not load.unit:
        return None
    t = talk.t
    each = _counted(talk, load.unit, load.units_each)
    in_all = t.number(load.units)
    return t("{channel}: about {each} for each client, {all} in all", channel=load.channel, each=each, all=in_all)


def _counted(talk: Reads, unit: str, count: int) -> Html:
    if unit == "segment":
        return talk.t.plural("{count} segment", "{count} segments", count)
    return talk.t("{count} × {unit}", count=talk.t.number(count), unit=unit)


def _window(talk: Reads, load: Load, then: str | None) -> str | None:
    """Of the clients to whom the messenger takes no free message now; `then` is a cascade's next channel."""
    t = talk.t
    if not load.outside:
        return None
    named = {"channel": load.channel, "inside": t.number(load.planned - load.outside)}
    if load.by_template:
        return t.plural(
            "{channel}: {inside} inside the reply window; {count} will get the template",
            "{channel}: {inside} inside the reply window; {count} will get the template",
            load.outside,
            **named,
        )
    if then is not None:
        return t.plural(
            "{channel}: {inside} inside the reply window; {count} is known to be outside and goes on to {then}",
            "{channel}: {inside} inside the reply window; {count} are known to be outside and go on to {then}",
            load.outside,
            **named,
            then=then,
        )
    return t.plural(
        "⚠ {channel}: {inside} inside the reply window; {count} is known to be outside and will be skipped",
        "⚠ {channel}: {inside} inside the reply window; {count} are known to be outside and will be skipped",
        load.outside,
        **named,
    )
