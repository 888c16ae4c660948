"""A mailing with its first step as rows, and as the rest of us know it."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, select

from gateways.message import plain, read_message
from storage.records import Actor, Canary, CanaryState, Draft, Mailing, OnUnknown, Routing, Status
from storage.schema import mailings, steps


def plain_step(draft: Draft) -> dict[str, Any]:
    """What of a draft stands on its step."""
    return {
        "start": draft.start,
        "timezone": draft.timezone,
        "audience": dict(draft.audience),
        "message": plain(draft.message),
    }


def plain_mailing(draft: Draft) -> dict[str, Any]:
    """What of a draft stands on the mailing."""
    return {
        "name": draft.name,
        "routing": draft.routing.value,
        "channels": list(draft.channels),
        "speed": draft.speed,
        "on_unknown": draft.on_unknown.value,
        "canary": asdict(draft.canary) if draft.canary else None,
    }


def select_mailings() -> Select[Any]:
    """Mailings with their first step; `read_mailing` reads a row of it."""
    return select(
        mailings,
        *(column.label(f"step_{column.name}") for column in steps.c if column.name not in ("mailing_id", "name")),
    ).join(steps, (steps.c.mailing_id == mailings.c.id) & (steps.c.number == 1))


def read_mailing(row: Any) -> Mailing:
    return Mailing(
        id=row.id,
        step_id=row.step_id,
        draft=Draft(
            name=row.name,
            message=read_message(row.step_message),
            audience=row.step_audience,
            routing=Routing(row.routing),
            channels=tuple(row.channels),
            speed=row.speed,
            start=row.step_start,
            timezone=row.step_timezone,
            on_unknown=OnUnknown(row.on_unknown),
            canary=Canary(**row.canary) if row.canary else None,
        ),
        status=Status(row.step_status),
        reason=row.step_reason,
        reason_words=row.step_reason_words,
        start_at=row.step_start_at,
        created_by=Actor.read(row.created_by),
        created_at=row.created_at,
        launched_by=Actor.read(row.launched_by) if row.launched_by else None,
        launched_at=row.step_launched_at,
        started_at=row.step_started_at,
        finished_at=row.step_finished_at,
        content_hash=row.step_content_hash,
        revision=row.step_revision,
        planned_all=row.step_planned_all,
        rate=row.step_rate,
        rate_at=row.step_rate_at,
        moved_at=row.step_moved_at,
        archived_at=row.archived_at,
        last_count=row.step_last_count,
        counted_at=row.step_counted_at,
        canary_state=CanaryState(row.step_canary_state) if row.step_canary_state else None,
        canary_until=row.step_canary_until,
    )
