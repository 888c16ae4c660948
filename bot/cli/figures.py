"""The figures of mailings, for people."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.cli.context import shown, table

if TYPE_CHECKING:
    from rich.console import Console

_AMOUNTS = ("audience", "planned", "waiting", "sent", "failed", "skipped", "cancelled", "unknown")
_LATER = ("delivered", "read", "unsubscribed", "orders", "sales")
_RARE = ("waiting", "unknown", "reason")  # shown where there is any
_UNTOLD = "–"


def print_figures(out: "Console", figures: Mapping[str, Any]) -> None:
    """One mailing, as `mailing show` tells it."""
    out.print(f"{figures['id']} · {figures['name']}", style="bold", markup=False)
    out.print(_state(figures), markup=False)
    if figures.get("stuck"):
        out.print(_stuck(figures["stuck"]), style="yellow", markup=False)
    rows = [(name, figures[name]) for name in _AMOUNTS]
    rows += [(name, _of(figures, name)) for name in _LATER if figures.get(name) is not None]
    clicked, clicks = figures.get("clicked") or {}, figures.get("clicks") or {}
    if clicked.get("any") is not None:
        rows.append(("clicked", f"{shown(clicked['any'])} clients, {shown(clicks.get('any') or 0)} presses"))
    out.print(table("", "number", rows=rows, right=("number",)))
    for title, name in (("left out", "left_out"), ("failures", "failures"), ("skipped because", "skips")):
        if figures.get(name):
            out.print(f"{title}: {shown(figures[name])}", markup=False)
    _print_channels(out, figures.get("by_channel") or {})


def _print_channels(out: "Console", channels: Mapping[str, Any]) -> None:
    """A line for each; a dash where a platform reports no such thing."""
    if len(channels) < 2 and not any(each.get("reason") for each in channels.values()):
        return
    rare = [name for name in _RARE if any(each.get(name) for each in channels.values())]
    columns = ("planned", "sent", "delivered", "read", "failed", "skipped", *rare)
    rows = [(name, *(_told(each, column) for column in columns)) for name, each in channels.items()]
    out.print(table("channel", *columns, rows=rows, right=[name for name in columns if name != "reason"]))
    if any(_UNTOLD in row for row in rows):
        out.print(f"{_UNTOLD}: this messenger does not tell.")


def _told(figures: Mapping[str, Any], name: str) -> Any:
    amount = figures.get(name)
    return _UNTOLD if amount is None and name in ("delivered", "read") else amount


def _of(figures: Mapping[str, Any], name: str) -> str:
    """Of how many, where not every messenger tells it."""
    most = figures.get(f"{name}_of")
    return shown(figures[name]) if most is None else f"{shown(figures[name])} of {shown(most)}"


def _stuck(stuck: Mapping[str, Any]) -> str:
    from bot.dialogs.live import said_stuck
    from bot.texts import Texts
    from gateways.markup import read_html

    return read_html(said_stuck(Texts(), stuck)).text


def _state(figures: Mapping[str, Any]) -> str:
    words = [str(figures["status"])]
    if figures.get("reason"):
        words.append(str(figures["reason"]))
    if figures.get("stopped"):
        words.append("everything is stopped; `carillon go` lifts it")
    if figures.get("rate"):
        words.append(f"{figures['rate']:g} a second")
    if figures.get("eta_seconds"):
        words.append(f"about {timedelta(seconds=round(figures['eta_seconds']))} left")
    if figures.get("progress") is not None:
        words.append(f"{figures['progress']:.0%}")
    return " · ".join(words)
