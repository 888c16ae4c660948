"""What Meta tells of a number and its account: who it is, its limits, its webhook, its templates. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateways.base import Account, ChannelBroken, Template, _
from gateways.meta.hooks import id_of, text_of
from gateways.whatsapp.capabilities import TIERS

Json = Mapping[str, Any]

PHONE_FIELDS = (
    "display_phone_number,verified_name,quality_rating,throughput,platform_type,webhook_configuration,"
    "whatsapp_business_manager_messaging_limit"
)
TEMPLATE_FIELDS = "name,language,status,category,components,parameter_format,rejected_reason"

_NAMED = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,64})\s*\}\}")
_BUTTONS = {  # of a template, as Meta names them; the rest take nothing and keep their names
    "QUICK_REPLY": "quick_reply",
    "PHONE_NUMBER": "phone",
    "COPY_CODE": "copy_code",
    "OTP": "url_parameter",  # a code is sent as the parameter of a URL; …/templates/authentication-templates
}


def account_of(values: Json, phone_number_id: str, apps: Sequence[Json] | None) -> Account:
    """Who the number is; `apps` are those subscribed to its account, None where Meta did not say. Raises ChannelBroken
    where this is no answer about a number."""
    display = text_of(values.get("display_phone_number"))
    if not display:
        raise ChannelBroken("what stands behind api_base does not answer as the WhatsApp Cloud API does")
    hooks = values.get("webhook_configuration")
    hooks = hooks if isinstance(hooks, dict) else {}
    order = ("phone_number", "whatsapp_business_account", "application")  # the first that is set is used
    webhook = next((text_of(hooks.get(name)) for name in order if hooks.get(name)), None)
    tier = text_of(values.get("whatsapp_business_manager_messaging_limit")).upper()
    digits = re.sub(r"\D", "", display)
    return Account(
        external_id=id_of(values.get("id")) or phone_number_id,
        name=" ".join(filter(None, (text_of(values.get("verified_name")), f"({display})"))),
        webhook=webhook if apps != [] else None,  # nothing comes there unless an app is subscribed
        warnings=tuple(_warnings(values, webhook, apps)),
        link=f"https://wa.me/{digits}" if digits else None,
        quota_left=TIERS.get(tier),
    )


def _warnings(values: Json, webhook: str | None, apps: Sequence[Json] | None) -> list[str]:
    found: list[str] = []
    quality = text_of(values.get("quality_rating")).upper()
    if quality in ("YELLOW", "RED"):
        found.append(_(f"clients' blocks and reports have lowered the number's quality to {quality}"))
    platform = text_of(values.get("platform_type"))
    if platform and platform != "CLOUD_API":
        found.append(_(f"the number is not on the Cloud API but on {platform[:40]}"))
    if apps is not None and not apps:
        found.append(
            _("no app is subscribed to the WhatsApp account, so nothing is heard; `carillon check --fix` mends it")
        )
    elif apps is None:
        found.append(_("Meta does not say which app is subscribed to the WhatsApp account"))
    if not webhook:
        found.append(_("no webhook is set for the number"))
    return found


def template_of(entry: Json) -> Template:
    """A template as the list shows it; parts that are not known take no values."""
    parts = {text_of(part.get("type")).upper(): part for part in _objects(entry.get("components"))}
    header, body, buttons = (parts.get(name, {}) for name in ("HEADER", "BODY", "BUTTONS"))
    reason = text_of(entry.get("rejected_reason"))
    return Template(
        name=text_of(entry.get("name")),
        language=text_of(entry.get("language")),
        status=text_of(entry.get("status")).lower(),
        category=text_of(entry.get("category")).lower(),
        external_id=id_of(entry.get("id")),
        body=text_of(body.get("text")),
        parameters=_placeholders(body.get("text")),
        header=text_of(header.get("format")).lower(),
        header_parameters=_placeholders(header.get("text")),
        buttons=tuple(_button_of(button) for button in _objects(buttons.get("buttons"))),
        reason="" if reason == "NONE" else reason,
    )


def _button_of(button: Json) -> str:
    kind = text_of(button.get("type")).upper()
    if kind == "URL":
        return "url_parameter" if _placeholders(button.get("url")) else "url"
    return _BUTTONS.get(kind, kind.lower())


def _placeholders(text: Any) -> tuple[str, ...]:
    """Names in order; numbered ones by their number, because values in order fill them."""
    names = dict.fromkeys(_NAMED.findall(text_of(text)))
    return tuple(sorted(names, key=int)) if all(map(str.isdecimal, names)) else tuple(names)


def _objects(values: Any) -> list[Json]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
