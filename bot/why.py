"""Why a client did or did not get a mailing, for people at a terminal and for programs."""

from collections.abc import Mapping
from typing import Any

from bot.cli.context import shown
from engine.audience import describe
from engine.explaining import Explanation, Rule, RuleKind
from storage.records import DeliveryState


def why_document(why: Explanation) -> dict[str, Any]:
    """`reason` says why not: one that was sent, or still waits, has none. `rules` are what decides, as it is now."""
    card, row = why.card, why.delivery
    return {
        "id": why.mailing.id,
        "client": card.external_id or str(card.id),
        "state": row.state if row else None,
        "reason": row.reason if row else why.word,
        "channel": row.channel if row else None,
        "tries": row.tries if row else 0,
        "code": row.code if row else None,
        "words": row.words if row else None,
        "started_at": row.started_at if row else None,
        "finished_at": row.finished_at if row else None,
        "rules": [{"rule": one.kind, "holds": one.holds, "words": rule_words(one)} for one in why.rules],
        "events": [
            {"at": one.at, "what": one.what, "channel": one.channel, "reason": one.details.get("reason")}
            for one in why.happened
        ],
    }


def rule_words(rule: Rule) -> str:
    of = rule.details
    match rule.kind:
        case RuleKind.CONDITION:
            return describe(of["term"])
        case RuleKind.OPT_OUT if rule.holds:
            return "has not opted out"
        case RuleKind.OPT_OUT:
            return f"opted out of {of['scope']} at {shown(of['at'])} ({of['source']})"
        case RuleKind.CHANNEL:
            return f"has no address on {', '.join(of['channels']) or 'a channel that is set up'}"
        case RuleKind.ADDRESS:
            return f"{of['channel']} is {of['status']}"


def why_words(mailing_id: int, document: Mapping[str, Any]) -> str:
    """The same in one sentence."""
    who = f"Mailing {mailing_id} to {document['client']}"
    reason = document["reason"]
    match document["state"]:
        case None:
            return f"{who}: it is not planned ({reason})."
        case DeliveryState.SENT | DeliveryState.DELIVERED | DeliveryState.READ:
            return f"{who}: it was sent at {shown(document['finished_at'])}."
        case DeliveryState.PLANNED | DeliveryState.SENDING:
            return f"{who}: it is still to be sent."
        case state:
            return f"{who}: {state}" + (f" ({reason})." if reason else ".")
