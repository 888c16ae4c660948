"""A platform's own templates in our messages: read strictly, and made the part that goes where a window is closed."""

from engine.errors import Invalid, _
from gateways.base import Part, PartKind
from gateways.templates import UnreadableTemplate, read_template, rows_of


def check_template(field: object) -> None:
    """Raise Invalid for what is no template, or leaves a value empty: platforms refuse those."""
    try:
        wanted = read_template(field)
    except UnreadableTemplate as error:
        raise Invalid(error.words, **error.values) from error
    for name, value in (*wanted.parameters.items(), *wanted.header_values.items()):
        if isinstance(value, str) and not value.strip():
            words = _("A value of the template “{name}” is empty: {value}.")
            raise Invalid(words, name=wanted.name or "sid", value=name)


def template_part(field: object) -> Part:
    """The part of a `template` field; its buttons are those that come back to us. Raises Invalid."""
    check_template(field)
    return Part(PartKind.TEMPLATE, buttons=rows_of(field), extra={"template": field})
