"""The live card of a mailing: one message, edited in place, from the launch to the end."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs.talk import Rows, button, danger, lines, paragraphs, primary
from bot.screens import Screen
from bot.texts import Html, Texts, _
from engine import statistics
from storage.records import Mailing, Status

SPEEDS = statistics.SPEEDS
RUNNING = (Status.SENDING, Status.PAUSED, Status.INTERRUPTED)
_BAR_LENGTH = 12
_HEADS = {
    Status.SENDING: _("📨 <b>{name}</b> – being sent"),
    Status.PAUSED: _("⏸ <b>{name}</b> – paused"),
    Status.INTERRUPTED: _("⚠ <b>{name}</b> – stopped by itself"),
    Status.SENT: _("✅ <b>{name}</b> – finished"),
    Status.CANCELLED: _("✖ <b>{name}</b> – cancelled"),
    Status.SCHEDULED: _("🗓 <b>{name}</b> – scheduled"),
    Status.DRAFT: _("📝 <b>{name}</b> – a draft"),
}
# Why nothing has gone out for a while, and what to do about it.
_STUCK = {
    "engine": _("Carillon's engine does not run. Start it with “carillon run”: it goes on from here."),
    "missing": _("{channel} stands in no configuration any more. Put it back, or cancel the mailing."),
    "broken": _("{channel} is broken: {words}. Mend it, then press Channels and Ask the messengers."),
    "quota": _("The quota of {channel} is used up. Top it up with /topup, or wait for the next day."),
    "down": _("{channel} does not answer. It goes on by itself when it does; or pause it and try later."),
    "throttled": _("{channel} asks us to wait until {until}. It goes on by itself then; a slower speed helps."),
    "due": _("The next ones are due {until}. It goes on by itself then."),
    "unknown": _("I see no reason. Pause it and resume it; if that does not help, tell who looks after Carillon."),
}


def live_card(t: Texts, mailing: Mailing, figures: Mapping[str, Any], now: datetime) -> Screen:
    """How far it is, and what can be done about it."""
    status = Status(figures["status"])
    text = paragraphs(
        lines(t(_HEADS[status], name=mailing.draft.name), why(t, figures)),
        _progress(t, mailing, figures, now),
        by_channel(t, figures),
        _ended(t, mailing, figures) if status in (Status.SENT, Status.CANCELLED) else None,
    )
    live = None if status in (Status.SENT, Status.CANCELLED) else mailing.id
    return Screen(text=text, rows=tuple(_rows(t, mailing, status, figures)), edit=True, live=live)


def _progress(t: Texts, mailing: Mailing, figures: Mapping[str, Any], now: datetime) -> str:
    sending = figures["status"] == Status.SENDING
    if not figures["planned"] and not mailing.planned_all:
        return t("The audience is being formed…") if sending else t("Its audience was not formed yet.")
    goes = sending and not figures.get("stopped")
    pace = _pace(t, mailing, figures, now) if goes else None
    return lines(bar(t, figures), tally(t, figures), pace, _formed(t, mailing, figures))


def _formed(t: Texts, mailing: Mailing, figures: Mapping[str, Any]) -> str | None:
    """Where the audience has become another one between the check and the start."""
    then, now = mailing.last_count, int(figures["planned"])
    if not mailing.planned_all or then is None or then == now:
        return None
    return t(
        "The audience was {then} when it was checked, and {now} at the start.", then=t.number(then), now=t.number(now)
    )


def bar(t: Texts, figures: Mapping[str, Any]) -> str:
    progress = float(figures.get("progress") or 0.0)
    full = min(int(progress * _BAR_LENGTH), _BAR_LENGTH)
    return f"{'█' * full}{'░' * (_BAR_LENGTH - full)} {t.share(progress)}"


def tally(t: Texts, figures: Mapping[str, Any]) -> str:
    """Sent, failed, waiting, and what else is not zero."""
    named = [
        t("sent {n}", n=t.number(figures["sent"])),
        t("failed {n}", n=t.number(figures["failed"])),
        t("waiting {n}", n=t.number(figures["waiting"])),
    ]
    if figures["skipped"]:
        named.append(t("skipped {n}", n=t.number(figures["skipped"])))
    if figures["unknown"]:
        named.append(t("unknown {n}", n=t.number(figures["unknown"])))
    if figures["cancelled"]:
        named.append(t("cancelled {n}", n=t.number(figures["cancelled"])))
    of = t.plural("of {count} client", "of {count} clients", figures["planned"])
    return f"{' · '.join(named)} {of}"


def why(t: Texts, figures: Mapping[str, Any]) -> str | None:
    """Why it does not go on, in words; the switch that stops everything stands before all else."""
    if figures.get("stopped") and figures["status"] in (Status.SENDING, Status.SCHEDULED):
        by = figures.get("stopped_by")
        return t("⛔ Held: {name} stopped all sending. An owner lifts it with /go.", name=by or t("somebody"))
    if figures.get("stuck"):
        return said_stuck(t, figures["stuck"])
    if told := canary_line(t, figures):
        return told
    reason = figures.get("reason_words") or figures.get("reason")
    return t("Why: {reason}", reason=reason) if reason else None


def said_stuck(t: Texts, stuck: Mapping[str, Any]) -> str:
    """Why nothing goes out, and what to do."""
    until = datetime.fromisoformat(stuck["until"]) if stuck["until"] else None
    since = t.clock(datetime.fromisoformat(stuck["since"]))
    told = t(
        _STUCK[stuck["reason"]],
        channel=stuck["channel"] or "",
        words=t.told(stuck["words"] or ""),
        until=t.moment(until) if until else "",
    )
    if stuck["reason"] == "due":
        return t("⏳ {why}", why=told)
    return t("⚠ <b>Nothing has gone out since {time}.</b> {why}", time=since, why=told)


def canary_line(t: Texts, figures: Mapping[str, Any]) -> Html | None:
    """Where it stands with its first clients, while the others wait for that."""
    canary, status = figures.get("canary") or {}, figures["status"]
    size = int(canary.get("size") or 0)
    if size and canary.get("state") == "sending" and status == Status.SENDING:
        return t.plural(
            "🐤 {count} client gets it first, then it waits.", "🐤 {count} clients get it first, then it waits.", size
        )
    if canary.get("state") != "waiting" or status != Status.PAUSED:
        return None
    return t(
        "🐤 The first {count} have it. At {time} ({zone}) all the others get it by itself, unless too much went wrong.",
        count=t.number(size),
        time=t.clock(datetime.fromisoformat(canary["until"])),
        zone=t.timezone,
    )


def canary_ways(t: Texts, number: int) -> Rows:
    """Not to wait, or not to go on alone."""
    return [
        (primary(t("▶ Go on now"), "m:resume", number), button(t("✋ Wait for me"), "m:pause", number)),
        (danger(t("✖ Cancel"), "m:cancel?", number),),
    ]


def by_channel(t: Texts, figures: Mapping[str, Any]) -> str | None:
    """A line for each channel where there are several, and for one that has a reason to be slow or still."""
    channels: Mapping[str, Mapping[str, Any]] = figures.get("by_channel") or {}
    told = []
    for channel, one in sorted(channels.items()):
        line = t(
            "{channel}: {sent} sent, {failed} failed, {waiting} waiting",
            channel=channel,
            sent=t.number(one["sent"]),
            failed=t.number(one["failed"]),
            waiting=t.number(one["waiting"]),
        )
        if one.get("reason"):
            told.append(t("⚠ {line} – {reason}", line=line, reason=str(one["reason"])))
        elif len(channels) > 1:
            told.append(line)
    return lines(*told) or None


def speed_of(mailing: Mailing, max_rate: float) -> float:
    return min(mailing.draft.speed or max_rate, max_rate)


def _pace(t: Texts, mailing: Mailing, figures: Mapping[str, Any], now: datetime) -> str | None:
    """How fast it goes and when it ends, and what it would take at the next speeds."""
    return lines(_ends(t, figures, now), _what_if(t, mailing, figures)) or None


def _what_if(t: Texts, mailing: Mailing, figures: Mapping[str, Any]) -> str | None:
    if not figures["waiting"]:
        return None
    others = {float(speed): left for speed, left in (figures.get("eta_at") or {}).items()}
    speed = speed_of(mailing, max(others, default=0.0))
    near = [
        max((one for one in others if one < speed), default=0.0),
        min((one for one in others if one > speed), default=0.0),
    ]
    told = [
        t("at {speed} a second {left}", speed=t.number(one), left=t.span(max(others[one], 1.0))) for one in near if one
    ]
    return t("What if: {speeds}", speeds=t.listed(told)) if told else None


def _ends(t: Texts, figures: Mapping[str, Any], now: datetime) -> str | None:
    told = []
    if rate := round(float(figures.get("rate") or 0.0), 1):  # none yet in the first moments
        told.append(t("{rate} a second", rate=t.number(rate)))
    if left := figures.get("eta_seconds"):
        ends = _hour(t, now + timedelta(seconds=float(left)), now)
        told.append(t("{left} left · ends about {ends} ({zone})", left=t.span(left), ends=ends, zone=t.timezone))
    return " · ".join(told) or None


def _hour(t: Texts, at: datetime, now: datetime) -> str:
    """The time of day; with its date where that is another one."""
    zone = ZoneInfo(t.timezone)
    local = at.astimezone(zone)
    return t.clock(at) if local.date() == now.astimezone(zone).date() else t.local(local)


def _ended(t: Texts, mailing: Mailing, figures: Mapping[str, Any]) -> str | None:
    took = None
    if mailing.started_at and mailing.finished_at:
        took = t("It took {span}.", span=t.span((mailing.finished_at - mailing.started_at).total_seconds()))
    failures = figures.get("failures")
    return lines(took, t("Failed: {reasons}", reasons=t.reasons(failures)) if failures else None) or None


def _rows(t: Texts, mailing: Mailing, status: Status, figures: Mapping[str, Any]) -> Rows:
    number = mailing.id
    match status:
        case Status.SENDING:
            switch = (
                primary(t("▶ Let sending go on"), "m:go", number)
                if figures.get("stopped")
                else danger(t("⛔ Stop everything"), "m:stop", number)
            )
            return [
                (button(t("⏸ Pause"), "m:pause", number), danger(t("✖ Cancel"), "m:cancel?", number)),
                (
                    button(t("🐢 Slower"), "m:slower", number),
                    button(t("🐇 Faster"), "m:faster", number),
                    button(t("Speed…"), "m:speeds", number),
                ),
                (button(t("Details"), "m:about", number), switch),
            ]
        case Status.PAUSED | Status.INTERRUPTED:
            resume = (primary(t("▶ Resume"), "m:resume", number), danger(t("✖ Cancel"), "m:cancel?", number))
            return [
                *(canary_ways(t, number) if canary_line(t, figures) else [resume]),
                (
                    button(t("Details"), "m:about", number),
                    button(t("Speed…"), "m:speeds", number),
                    button(t("Statistics"), "s:of", number),
                ),
            ]
        case Status.CANCELLED:
            rows: Rows = [(button(t("Launch again"), "m:again?", number), button(t("Statistics"), "s:of", number))]
            return [*rows, *_after(t, number, figures), (button(t("Menu"), "h"),)]
        case Status.SENT:
            rows = [(button(t("Statistics"), "s:of", number), button(t("Copy"), "m:copy", number))]
            return [*rows, *_after(t, number, figures), (button(t("Menu"), "h"),)]
        case _:
            return [(button(t("Open"), "m:open", number), button(t("Menu"), "h"))]


def _after(t: Texts, number: int, figures: Mapping[str, Any]) -> Rows:
    """What can still be done about one that has ended."""
    rows: Rows = []
    if figures["failed"]:
        rows.append((button(t("Who failed"), "m:failed", number, 0), button(t("Send to them"), "af:failed", number)))
    if figures["unknown"] > figures["unknown_left"]:
        rows.append((button(t("Unknown ones"), "m:unknown", number, 0),))
    if figures["sent"]:
        rows.append((button(t("Take back, correct, write again"), "af", number),))
    return rows
