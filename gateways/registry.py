"""Every kind of channel: how it is configured, what it can do, how its gateway is made.

Importing this costs nothing heavy: a kind's model is imported when a channel of it is read, its gateway when one opens.
"""

from collections.abc import Mapping
from importlib import import_module

from gateways.config import ChannelModel

MODELS: Mapping[str, Mapping[str, str]] = {  # kind, provider ("" where a kind has only one way), module and class
    "telegram": {"": "gateways.telegram.config:TelegramSettings"},
    "viber": {"": "gateways.viber.config:ViberSettings"},
    "facebook": {"": "gateways.facebook.config:FacebookSettings"},
    "vk": {"": "gateways.vk.config:VkSettings"},
    "whatsapp": {
        "meta": "gateways.whatsapp.config:WhatsAppSettings",
        "twilio": "gateways.twilio.config:TwilioWhatsAppSettings",
    },
    "sms": {"twilio": "gateways.twilio.config:TwilioSmsSettings"},
    "log": {"": "gateways.log.config:LogSettings"},
}
KINDS = tuple(MODELS)

# What messages may cost, as a platform's answers and receipts name it and `[prices]` prices it.
PRICED = (
    *("whatsapp.marketing", "whatsapp.utility", "whatsapp.authentication", "whatsapp.service"),
    "sms.segment",
    *("viber.charged", "viber.session", "viber.session_billable", "viber.free", "viber.free_billable"),
    "viber.unclassified",
)

NOT_BUILT: Mapping[str, str] = {
    **{
        kind: f"a channel of the kind “{kind}” is planned and not built yet; there is {', '.join(KINDS)}"
        for kind in ("email", "webpush")
    },
    "skype": "Microsoft closed Skype in May 2025; reach these clients by Telegram, Viber or WhatsApp",
}


class UnusableKind(ValueError):
    """No channel of this kind can be had; the words say why."""


def config_model(kind: str, provider: str | None = None) -> type[ChannelModel]:
    """The model that a channel's table is read with. Raises UnusableKind."""
    models = _models_of(kind)
    if provider is None and len(models) == 1:
        provider = next(iter(models))
    path = models.get(provider or "")
    if path is None:
        known = ", ".join(f"“{name}”" for name in models)
        raise UnusableKind(f"a channel of the kind “{kind}” needs provider: {known}")
    module, _, name = path.partition(":")
    model: type[ChannelModel] = getattr(import_module(module), name)
    return model


def _models_of(kind: str) -> Mapping[str, str]:
    if kind in NOT_BUILT:
        raise UnusableKind(NOT_BUILT[kind])
    if kind not in MODELS:
        raise UnusableKind(f"there is no channel of the kind “{kind}”; there is {', '.join(KINDS)}")
    return MODELS[kind]
