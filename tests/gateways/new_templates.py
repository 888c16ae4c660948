"""Templates that are written here."""

from dataclasses import replace
from typing import Any

from gateways.base import ButtonKind, NewButton, NewTemplate
from gateways.new_templates import with_body, with_button

OPEN = NewButton(ButtonKind.LINK, "Open", "https://acme.test/s/{{1}}", "spring")
CALL = NewButton(ButtonKind.CALL, "Call us", "+447700900123")
STOP = NewButton(ButtonKind.REPLY, "Stop promotions")


def new_template(*buttons: NewButton, **more: Any) -> NewTemplate:
    """Two fields, with examples; whatever else is given."""
    made = NewTemplate("spring_sale", "en", "marketing", **more)
    made = with_body(made, "Hi {{ client.first_name | default('friend') }}, <b>{{ discount }}</b> off!")
    made = replace(made, examples=("Ann", "30%"))
    for button in buttons:
        made = with_button(made, button)
    return made
