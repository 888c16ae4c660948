"""Parts for one client, as the engine hands them to a gateway."""

from collections.abc import Sequence
from typing import Any

from gateways.base import Outgoing, Part, PartKind
from gateways.markup import read_html
from gateways.message import Button

ADDRESS = "100200300"


def out(
    kind: PartKind = PartKind.TEXT,
    html: str = "",
    *media: str,
    buttons: Sequence[Sequence[Button]] = (),
    data: Sequence[str] = (),
    address: str = ADDRESS,
    template: str | None = None,
    name: str | None = None,
    extra: dict[str, Any] | None = None,
    **place: float,
) -> Outgoing:
    rows = tuple(tuple(row) for row in buttons)
    part = Part(
        kind,
        text=html if template is None else template,
        media=media,
        name=name,
        buttons=rows,
        extra=extra or {},
        **place,
    )
    return Outgoing(address, part, read_html(html), rows, tuple(data), "d7.1.0")


def text(html: str = "Hello there", **rest: Any) -> Outgoing:
    return out(PartKind.TEXT, html, **rest)
