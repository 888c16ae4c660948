"""Every kind of channel: what it can do, how it is configured, how its gateway is made.

Importing this costs nothing heavy; a kind's gateway is imported when one is opened."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from gateways.base import Capabilities, Gateway, MediaStore

KINDS = ("telegram",)

NOT_BUILT: Mapping[str, str] = {
    **{
        kind: f"a channel of the kind “{kind}” is planned and not built yet; there is {', '.join(KINDS)}"
        for kind in ("viber", "facebook", "vk", "whatsapp", "sms", "log", "email", "webpush")
    },
    "skype": "Microsoft closed Skype in May 2025; reach these clients by Telegram, Viber or WhatsApp",
}


class UnusableKind(ValueError):
    """No channel of this kind can be had; the words say why."""


def capabilities_of(kind: str) -> Capabilities:
    """Raises UnusableKind."""
    require_kind(kind)
    from gateways.telegram.capabilities import TELEGRAM

    return TELEGRAM


def config_model(kind: str) -> type[BaseModel]:
    """The model that a channel's table is read with; every one has id, kind, rate and quota. Raises UnusableKind."""
    require_kind(kind)
    from gateways.telegram.config import TelegramSettings

    return TelegramSettings


def open_gateway(
    settings: Any,
    *,
    media: MediaStore,
    secret: bytes,
    public_url: str | None = None,
    start_after: int | None = None,
    now: Callable[[], datetime] | None = None,
) -> Gateway:
    """The gateway of one channel; await its `open` before use and its `close` after.

    `secret` is the app's: what proves a webhook is derived from it where the channel names none. Without `public_url`
    the channel polls. `start_after` is the last update that is committed; see TelegramGateway."""
    require_kind(settings.kind)
    from gateways.telegram.gateway import TelegramGateway

    return TelegramGateway.from_settings(
        settings, media=media, secret=secret, public_url=public_url, start_after=start_after, now=now
    )


def require_kind(kind: str) -> None:
    """Raises UnusableKind."""
    if kind in NOT_BUILT:
        raise UnusableKind(NOT_BUILT[kind])
    if kind not in KINDS:
        raise UnusableKind(f"there is no channel of the kind “{kind}”; there is {', '.join(KINDS)}")
