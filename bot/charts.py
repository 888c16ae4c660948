"""Numbers as pictures, in one house style. matplotlib is imported when something is drawn, not before."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from storage.timelines import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
QUIET = "#7b8794"
LINE = "#d9dee4"
SENT = "#2f6fed"
FAILED = "#d64545"
OTHER = "#e0a030"
GOOD = "#2f9e6e"

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # matplotlib brings it: the same picture on every machine
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "carillon",
}
_FUNNEL = (
    ("audience", "matched", QUIET),
    ("planned", "planned", INK),
    ("sent", "sent", SENT),
    ("delivered", "delivered", GOOD),
    ("read", "read", GOOD),
    ("clicked", "clicked", GOOD),
    ("failed", "failed", FAILED),
    ("skipped", "skipped", OTHER),
    ("unknown", "unknown", OTHER),
)
_DAY_S = 86_400


def draw_mailing(figures: Mapping[str, Any], timeline: Sequence[Span], zone: tzinfo) -> bytes:
    """A mailing as PNG: how far it came at the left, when at the right. `figures` are CONTRACT.md section 6."""
    with _styled():
        figure = _figure(width_in=11, height_in=4.6)
        left, right = figure.subplots(1, 2, width_ratios=(5, 6))
        _funnel(left, figures)
        _progress(right, timeline, zone)
        _title(figure, f"{figures['name']}", f"mailing {figures['id']} · {figures['status']}")
        return _png(figure)


def draw_totals(mailings: Sequence[Mapping[str, Any]], since: str) -> bytes:
    """Several mailings as PNG, one bar each: `mailings` have name, sent, failed, and waiting."""
    with _styled():
        shown = list(mailings)[:25]
        figure = _figure(width_in=9, height_in=1.8 + 0.34 * max(len(shown), 2))
        axes = figure.subplots()
        names = [_short(f"{each['id']} · {each['name']}", 36) for each in shown]
        begin = [0] * len(shown)
        for key, color in (("sent", SENT), ("failed", FAILED), ("waiting", LINE)):
            amounts = [int(each[key]) for each in shown]
            axes.barh(names, amounts, left=begin, color=color, height=0.62, label=key)
            begin = [before + amount for before, amount in zip(begin, amounts, strict=True)]
        axes.invert_yaxis()
        _bare(axes)
        if shown:
            figure.legend(loc="outside upper right", ncols=3, frameon=False)
        _title(figure, "Mailings", since)
        return _png(figure)


def _funnel(axes: "Axes", figures: Mapping[str, Any]) -> None:
    rows = [(words, _amount(figures[key]), color) for key, words, color in _FUNNEL if _amount(figures[key]) is not None]
    rows = [row for row in rows if row[1] or row[0] in ("matched", "planned", "sent", "failed")]
    most = max([amount or 0 for _, amount, _ in rows] + [1])
    axes.barh([words for words, _, _ in rows], [amount or 0 for _, amount, _ in rows], color=[c for *_, c in rows])
    for place, (_, amount, _) in enumerate(rows):
        axes.text((amount or 0) + most * 0.015, place, f"{amount:,}", va="center", color=INK)
    axes.set_xlim(0, most * 1.16)
    axes.invert_yaxis()
    axes.set_xticks([])
    _bare(axes)


def _progress(axes: "Axes", timeline: Sequence[Span], zone: tzinfo) -> None:
    """Sent and failed as they added up."""
    axes.set_title("as it went out", loc="left", fontsize=10, color=QUIET)
    if not timeline:
        axes.text(0.5, 0.5, "nothing went out yet", ha="center", va="center", transform=axes.transAxes, color=QUIET)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    from matplotlib import dates
    from matplotlib.ticker import MaxNLocator

    kit: Any = dates  # matplotlib leaves it untyped

    times = [kit.date2num(span.begin.astimezone(zone).replace(tzinfo=None)) for span in timeline]
    times = [times[0], *(at + timeline[0].width_s / _DAY_S for at in times)]
    for key, color in (("sent", SENT), ("failed", FAILED), ("other", OTHER)):
        amounts = [0, *accumulate(int(getattr(span, key)) for span in timeline)]
        if amounts[-1] or key == "sent":
            axes.plot(times, amounts, color=color, linewidth=2, label={"other": "skipped, unknown"}.get(key, key))
            if key == "sent":
                axes.fill_between(times, amounts, color=color, alpha=0.08, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_xlim(times[0], times[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    length_s = (times[-1] - times[0]) * _DAY_S
    axes.xaxis.set_major_locator(kit.AutoDateLocator(minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(
        kit.DateFormatter("%H:%M:%S" if length_s < 600 else "%H:%M" if length_s < _DAY_S else "%d.%m %H:%M")
    )
    axes.legend(loc="upper left", frameon=False)


def _amount(value: Any) -> int | None:
    """A figure's number: clicked is a table of kinds, whose "any" counts; None is a number that nobody reports."""
    return _amount(value["any"]) if isinstance(value, Mapping) else None if value is None else int(value)


def _styled() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _figure(*, width_in: float, height_in: float) -> "Figure":
    from matplotlib.figure import Figure  # without pyplot: no display, nothing global

    return Figure(figsize=(width_in, height_in), dpi=130, layout="constrained")


def _title(figure: "Figure", title: str, under: str) -> None:
    # A name may hold "$", which would otherwise begin a formula, and letters that the font lacks.
    figure.suptitle(f"{_short(title, 70)}\n", x=0.01, ha="left", fontsize=14, fontweight="bold", parse_math=False)
    figure.text(0.0115, 0.915, under, ha="left", va="center", fontsize=10, color=QUIET, parse_math=False)


def _bare(axes: "Axes") -> None:
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _png(figure: "Figure") -> bytes:
    import warnings

    written = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in a script the font lacks
        figure.savefig(written, format="png", metadata={"Software": "Carillon"})
    return written.getvalue()
