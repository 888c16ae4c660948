"""Why a client did or did not get a mailing, for people at a terminal and for programs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.cli.context import shown
from storage.records import DeliveryState

if TYPE_CHECKING:
    from storage.deliveries import DeliveryRow
    from storage.records import ClientCard


def why_document(mailing_id: int, card: "ClientCard", row: "DeliveryRow | None", reason: str) -> dict[str, Any]:
    """`reason` says why not: one that was sent, or still waits, has none."""
    return {
        "id": mailing_id,
        "client": card.external_id or str(card.id),
        "state": row.state if row else None,
        "reason": row.reason if row else reason,
        "channel": row.channel if row else None,
        "tries": row.tries if row else 0,
        "code": row.code if row else None,
        "words": row.words if row else None,
        "started_at": row.started_at if row else None,
        "finished_at": row.finished_at if row else None,
    }


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
