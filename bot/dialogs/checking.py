"""What the check of a mailing says, in words: for whoever launches it, and for whoever approves it."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from bot.dialogs.canary import said_canary
from bot.dialogs.live import speed_of
from bot.dialogs.loads import said_loads, said_loss, said_ways
from bot.dialogs.sending import max_rate, said_start
from bot.dialogs.talk import Reads, lines, paragraphs
from bot.dialogs.targets import said_audience
from bot.texts import Html
from engine.check import CheckCard
from engine.costs import Cost, Expected, in_all
from engine.errors import Invalid
from storage.clients import AudienceCount
from storage.records import Mailing

_MOST_LOSSES = 8


def said_check(reads: Reads, mailing: Mailing, check: CheckCard, since: str | None = None) -> Html:
    """Everything but the question; `since` is how the audience has changed."""
    t = reads.t
    return paragraphs(
        lines(
            t("To: {audience}", audience=said_audience(reads, mailing.draft.audience)),
            _planned(reads, check.count),
            _left_out(reads, check.count),
            since,
            said_expected(reads, check.expected),
        ),
        said_ways(reads, check),
        said_loads(reads, check),
        said_costs(reads, check.costs, check.at_most),
        lines(
            t("Start: {start}", start=said_start(reads, mailing)),
            t("⚠ {note}", note=check.start_note) if check.start_note else None,
            _duration(reads, mailing, check),
            said_canary(reads, mailing.draft.canary),
        ),
        _dropped(reads, check),
        _package(reads, check.package_left),
        lines(
            _tested(reads, check),
            *(t("⚠ {warning}", warning=_said(reads, warning)) for warning in check.warnings),
            *(t("💡 {advice}", advice=_said(reads, advice)) for advice in check.advice),
        ),
        lines(*(t("⛔ {problem}", problem=_said(reads, problem)) for problem in check.problems)) or None,
    )


def said_question(reads: Reads, mailing: Mailing, planned: int) -> Html:
    t = reads.t
    name = mailing.draft.name
    if mailing.draft.start == "now":
        return t.plural(
            "<b>Send “{name}” to {count} client now?</b>",
            "<b>Send “{name}” to {count} clients now?</b>",
            planned,
            name=name,
        )
    return t.plural(
        "<b>Send “{name}” to about {count} client, {start}?</b>",
        "<b>Send “{name}” to about {count} clients, {start}?</b>",
        planned,
        name=name,
        start=said_start(reads, mailing),
    )


def _planned(reads: Reads, count: AudienceCount) -> Html:
    t = reads.t
    channels = [
        t("{channel} {count}", channel=channel, count=t.number(amount))
        for channel, amount in sorted(count.by_channel.items())
    ]
    total = t.plural("<b>{count} client</b>", "<b>{count} clients</b>", count.planned)
    return t("{total}: {channels}", total=total, channels=t.listed(list(channels))) if channels else total


def _left_out(reads: Reads, count: AudienceCount) -> Html | None:
    t = reads.t
    left = {reason: amount for reason, amount in count.left_out.items() if amount}
    if not left:
        return None
    return t("Left out {count}: {reasons}", count=t.number(sum(left.values())), reasons=t.reasons(left))


# --- what is to be expected ---


def said_expected(reads: Reads, expected: tuple[Expected, ...]) -> Html | None:
    """How many are likely to fail, as each channel's last mailings did."""
    t = reads.t
    known = [one for one in expected if one.share is not None]
    if not known:
        return None
    shares = t.listed(
        [
            t("{channel} {share}", channel=one.channel, share=t.share(one.share or 0.0) if one.share else "0")
            for one in known
        ]
    )
    told = t.plural(
        "Likely to fail, as of the last 90 days: about {count} ({shares})",
        "Likely to fail, as of the last 90 days: about {count} ({shares})",
        sum(one.failures for one in known),
        shares=shares,
    )
    unknown = t.listed([one.channel for one in expected if one.share is None])
    return lines(told, t("Too little was sent by {channels} to tell that.", channels=unknown) if unknown else None)


def said_costs(reads: Reads, costs: tuple[Cost, ...], at_most: tuple[Cost, ...]) -> Html | None:
    t = reads.t
    if not costs and not at_most:
        return None
    least, most = _sum(reads, costs), _sum(reads, at_most)
    if most and most != least:
        on_all = t("Cost: at most <b>{most}</b>, where nobody is reached before the last channel", most=most)
        head = t("Cost: about <b>{sum}</b> on the first channels, at most <b>{most}</b> on all", sum=least, most=most)
        return lines(head if least else on_all, *(t("At most {cost}", cost=_cost(reads, cost)) for cost in at_most))
    told = at_most or costs
    return lines(
        t("Cost: about <b>{sum}</b>", sum=least) if least else t("Cost: not known"),
        *(_cost(reads, cost) for cost in told),
    )


def _sum(reads: Reads, costs: tuple[Cost, ...]) -> Html:
    return reads.t.listed([reads.t.money(amount, currency) for currency, amount in in_all(costs).items()])


def _cost(reads: Reads, cost: Cost) -> Html:
    t = reads.t
    what = _charged(reads, cost)
    if cost.price is None:
        return t("{channel}: {what}, for which [prices] has no price", channel=cost.channel, what=what)
    each = t.money(*cost.price)
    return t("{channel}: {what}, {price} each", channel=cost.channel, what=what, price=each)


def _charged(reads: Reads, cost: Cost) -> Html:
    """So many of what is charged for."""
    t, count = reads.t, cost.count
    match cost.name:
        case "whatsapp.marketing":
            return t.plural("{count} marketing template", "{count} marketing templates", count)
        case "whatsapp.utility":
            return t.plural("{count} utility template", "{count} utility templates", count)
        case "whatsapp.authentication":
            return t.plural("{count} authentication template", "{count} authentication templates", count)
        case "whatsapp.service" | "viber.session_billable":
            return t.plural("{count} answer to who wrote lately", "{count} answers to who wrote lately", count)
        case "sms.segment":
            return t.plural("{count} segment", "{count} segments", count)
        case "":
            return t.plural(
                "{count} template of a category that is not known yet",
                "{count} templates of a category that is not known yet",
                count,
            )
        case _:
            return t.plural("{count} message", "{count} messages", count)


# --- how it goes ---


def _duration(reads: Reads, mailing: Mailing, check: CheckCard) -> Html:
    t = reads.t
    speed, span = t.number(speed_of(mailing, max_rate(reads))), t.span(max(check.duration_s, 1.0))
    if mailing.draft.timezone == "client":
        return t("Speed: {speed} a second; each time zone takes {span} at most", speed=speed, span=span)
    return t(
        "Speed: {speed} a second, takes about {span}, ends about {ends}",
        speed=speed,
        span=span,
        ends=t.moment(check.ends_at),
    )


def _tested(reads: Reads, check: CheckCard) -> Html | None:
    t = reads.t
    if check.problems:
        return None
    if check.tested_at is None:
        return t("💡 The message as it is now was not tested yet.")
    zone = ZoneInfo(t.timezone)
    at = t.local(check.tested_at.astimezone(zone).replace(tzinfo=None))
    return t("✓ Tested as it is now: {at}", at=at)


def _dropped(reads: Reads, check: CheckCard) -> Html | None:
    """What each messenger changes or drops."""
    t = reads.t
    titles = {channel.kind: channel.able.title for channel in reads.settings.channels.values()}
    told = [
        said_loss(t, titles.get(kind, kind), loss) for kind, found in sorted(check.losses.items()) for loss in found
    ]
    more = len(told) - _MOST_LOSSES
    rest = t.plural("… and {count} more change", "… and {count} more changes", more) if more > 0 else None
    return lines(*told[:_MOST_LOSSES], rest) or None


def _package(reads: Reads, package_left: Mapping[str, int]) -> Html | None:
    t = reads.t
    told = [
        t.plural(
            "{channel}: {count} message left in the package",
            "{channel}: {count} messages left in the package",
            left,
            channel=channel,
        )
        for channel, left in sorted(package_left.items())
        if left is not None
    ]
    return lines(*told) or None


def _said(reads: Reads, words: Invalid) -> Html:
    return reads.t.error(words)
