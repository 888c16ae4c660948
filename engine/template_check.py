"""Whether a message's template is what the platform knows, before anybody is sent to."""

from collections.abc import Mapping
from typing import Any

from engine.errors import Invalid, Refused, _
from engine.fits import Fit
from gateways.base import Template
from gateways.message import Message
from gateways.templates import find_template, problems_of
from storage.store import Store

_NOT_READ = _("The templates of {channel} were not read yet, so that its template could not be checked.")


async def check_templates(
    store: Store, message: Message, fits: Mapping[str, Fit]
) -> tuple[list[Invalid], list[Invalid]]:
    """Problems and warnings of the templates that the message names for these channels."""
    problems: list[Invalid] = []
    warnings: list[Invalid] = []
    for channel, fit in fits.items():
        field = message.only.get(fit.able.kind, {}).get("template")
        if field is None or not fit.able.takes_templates or fit.problem is not None:
            continue
        if await store.templates.synced_at(channel) is None:
            warnings.append(Refused(_NOT_READ, channel=channel))
            continue
        found = _problems(field, await store.templates.of_channel(channel))
        problems += [Refused(_("{channel}: {why}"), channel=channel, why=why) for why in found]
    return problems, warnings


def _problems(field: Any, templates: list[Template]) -> list[Invalid]:
    template = find_template(templates, field)
    if template is None and isinstance(field, Mapping) and field.get("sid"):
        return [Invalid(_("There is no template {sid}."), sid=field["sid"])]
    return [Invalid(words, **values) for words, values in problems_of(field, template)]
