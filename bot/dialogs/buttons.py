"""The buttons under a piece of a message: typed as "Label - https://…", or made, changed and moved step by step."""

from collections.abc import Sequence
from dataclasses import replace

from bot.dialogs import compose
from bot.dialogs.constructor import title_of
from bot.dialogs.said import MAX_LABEL, link_of, read_buttons
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, lines, paragraphs, plain_words, primary, short
from bot.dialogs.work import ALL, Work, put_element, work_at, work_of
from bot.dialogs.written import problems, said_counts
from bot.screens import Button as Key
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, NotFound
from engine.prices import read_price
from gateways.message import Button, Buy, Link, Reply
from storage.records import Mailing

_MOST = 20  # under one piece; a file may have more, which are shown and changed all the same
_MAX_ITEM = 100  # characters of an item's number

Grid = list[list[Button]]


async def open_buttons(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Those of the last piece, where most messages have them."""
    return [await _last(talk, await compose.draft_at(talk, mailing_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/buttons 7"""
    return [await _last(talk, await compose.draft_of(talk, words))]


async def _last(talk: Talk, mailing: Mailing) -> Screen:
    work = work_of(mailing)
    if not work.elements:
        raise Invalid(_("The message has no piece yet: send one first."))
    return await _card(talk, work, len(work.elements) - 1)


async def open_at(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    return [await _card(talk, await work_at(talk, scope, subject_id, revision), int(place))]


async def _card(talk: Talk, work: Work, place: int, note: str = "") -> Screen:
    t = talk.t
    at = _at(work, place)
    talk.ask("b.lines", *at)
    grid = work.element(place).buttons
    said = t("Buttons of “{name}”", name=work.name)
    if len(work.elements) > 1:
        said = t("Buttons under piece {number} of “{name}”", number=place + 1, name=work.name)
    shown = lines(
        *("   ".join(t("• {label} → {target}", label=one.label, target=_target(one)) for one in row) for row in grid)
    )
    text = paragraphs(
        title_of(talk, work, said),
        note or None,
        shown or t("None yet."),
        lines(*await said_counts(talk, work.draft), *await problems(talk, work.draft)) or None,
        t(
            "Type them, one a line: <code>Open - https://acme.test/sale</code> opens a page, "
            "<code>More - Tell me more</code> says words in the client's name, <code>Buy - SKU-1 - 19.90 EUR</code> "
            "orders an item. Or press:"
        ),
    )
    rows: Rows = [
        (
            button(t("+ Link"), "b:new", "link", *at),
            button(t("+ Message"), "b:new", "message", *at),
            button(t("+ Buy"), "b:new", "buy", *at),
        ),
        *(
            (button(f"✎ {one.label}", "b:one", number, *at), button(f"✕ {one.label}", "b:cut", number, *at))
            for number, one in enumerate(one for row in grid for one in row)
        ),
    ]
    if work.scope == ALL:
        rows.append((button(t("Preview"), "c:see", *at[2:]), primary(t("Next: audience ▶"), "a", *at[2:])))
    rows.append(footer(talk, _back(talk, work, place), leave=work.leave))
    return card(text, rows, ask=t.plain("Label - https://…"))


def _at(work: Work, place: int | str) -> tuple[str, int, int, int]:
    return work.scope, int(place), work.subject.id, work.subject.revision


def _back(talk: Talk, work: Work, place: int) -> Key:
    if work.scope == ALL and len(work.elements) == 1:
        return button(talk.t("◀ Back"), "c:m", *work.at[1:])
    return button(talk.t("◀ Back"), "e:of", *_at(work, place))


def _target(one: Button) -> str:
    match one:
        case Link(link=link):
            return short(link, 60)
        case Reply(message=words):
            return f"“{short(words, 60)}”"
        case Buy(buy=item, price=price):
            return f"{item}, {price}" if price else item


async def hear_lines(talk: Talk, said: Said, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    """Typed lines: added below what stands there already."""
    work = await work_at(talk, scope, subject_id, revision)
    words = plain_words(said)
    if not words:
        raise Invalid(_("A button is typed as: Label - https://…"))
    return await _added(talk, work, int(place), read_buttons(words))


async def _added(talk: Talk, work: Work, place: int, rows: Sequence[Sequence[Button]]) -> Screens:
    grid = [*_grid(work, place), *map(list, rows)]
    if sum(map(len, grid)) > _MOST:
        raise Invalid(_("Under one piece stand {most} buttons at most."), most=_MOST)
    return [await _card(talk, await _put(talk, work, place, grid), place, talk.t("Added, and saved."))]


def _grid(work: Work, place: int) -> Grid:
    return [list(row) for row in work.element(place).buttons]


async def _put(talk: Talk, work: Work, place: int, grid: Grid) -> Work:
    rows = tuple(tuple(row) for row in grid if row)
    return await put_element(talk, work, place, replace(work.element(place), buttons=rows))


# --- a new one, step by step ---


async def ask_label(talk: Talk, what: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    work.element(place)
    talk.ask("b.label", what, *_at(work, place))
    back = button(talk.t("◀ Back"), "b:on", *_at(work, place))
    text = talk.t("What stands on the button?")
    return [card(text, [footer(talk, back, leave=work.leave)], ask=talk.t.plain("The label, such as Open"))]


async def hear_label(talk: Talk, said: Said, what: str, *at: str) -> Screens:
    work = await work_at(talk, at[0], *at[2:])
    if what == "link" and "://" in plain_words(said):  # typed as a whole
        return await _added(talk, work, int(at[1]), read_buttons(plain_words(said)))
    label = _label(said)
    talk.ask("b.target", what, label, *at)
    return [_ask_target(talk, work, what, label, button(talk.t("◀ Back"), "b:new", what, *at))]


def _ask_target(talk: Talk, work: Work, what: str, label: str, back: Key) -> Screen:
    t = talk.t
    if what == "link":
        text, hint = t("Which page does “{label}” open?", label=label), "https://…"
    elif what == "message":
        text = t("What does a client say by pressing “{label}”?", label=label)
        hint = t.plain("The words, such as Tell me more")
    else:
        text = t("Which item does “{label}” order? Type its number in your shop, such as SKU-1.", label=label)
        hint = t.plain("The item, such as SKU-1")
    return card(text, [footer(talk, back, leave=work.leave)], ask=hint)


def _label(said: Said) -> str:
    label = " ".join(plain_words(said).split())
    if not label:
        raise Invalid(_("A label is a word or two: type them."))
    if len(label) > MAX_LABEL:
        raise Invalid(_("That label is too long: {most} signs at most."), most=MAX_LABEL)
    return label


async def hear_target(talk: Talk, said: Said, what: str, label: str, *at: str) -> Screens:
    work = await work_at(talk, at[0], *at[2:])
    made = _with_target(_empty(what, label), said)
    if not isinstance(made, Buy):
        return await _added(talk, work, int(at[1]), [[made]])
    talk.ask("b.price", label, made.buy, *at)
    talk.state["buying"] = [label, made.buy, *at]
    t = talk.t
    text = t("What does “{label}” cost? Type it, such as: 19.90 EUR", label=label)
    rows: Rows = [
        (button(t("Without a price"), "b:free", *at),),
        footer(talk, button(t("◀ Back"), "b:new", what, *at), leave=work.leave),
    ]
    return [card(text, rows, ask="19.90 EUR")]


def _empty(what: str, label: str) -> Button:
    """One of the kind that is to be filled."""
    return Link("", label) if what == "link" else Reply("", label) if what == "message" else Buy("", label)


def _with_target(one: Button, said: Said) -> Button:
    """The button with what was typed behind it. Raises Invalid."""
    words = " ".join(plain_words(said).split())
    if not words:
        raise Invalid(_("Type it as a text."))
    match one:
        case Link():
            return replace(one, link=link_of(words))
        case Reply():
            return replace(one, message=words)
        case Buy():
            if len(words) > _MAX_ITEM:
                raise Invalid(_("That is too long: {most} signs at most."), most=_MAX_ITEM)
            return replace(one, buy=words)


async def hear_price(talk: Talk, said: Said, label: str, item: str, *at: str) -> Screens:
    work = await work_at(talk, at[0], *at[2:])
    return await _added(talk, work, int(at[1]), [[Buy(item, label, _price(said))]])


def _price(said: Said) -> str:
    words = " ".join(plain_words(said).split())
    if read_price(words) is None:
        raise Invalid(_("Type an amount and a currency, such as: 19.90 EUR"))
    return words


async def without_price(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    """The item just typed has no price on its button."""
    work = await work_at(talk, scope, subject_id, revision)
    label, item, *at = talk.state.pop("buying", None) or ("", "")
    if at != [scope, place, subject_id, revision]:
        raise Invalid(_("Make that button again: press + Buy."))
    return await _added(talk, work, int(place), [[Buy(item, label)]])


# --- one of them ---


async def open_one(talk: Talk, number: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    return [_one_card(talk, work, int(place), int(number))]


def _one_card(talk: Talk, work: Work, place: int, number: int, note: str = "") -> Screen:
    t = talk.t
    grid = _grid(work, place)
    row, column = _find(grid, number)
    one = grid[row][column]
    at = (number, *_at(work, place))
    beside = [other.label for other in grid[row] if other is not one]
    text = paragraphs(
        title_of(talk, work, t("Button “{label}” of “{name}”", label=one.label, name=work.name)),
        note or None,
        lines(
            _does(talk, one),
            t("Row {row} of {rows}.", row=row + 1, rows=len(grid)),
            t("Beside it: {labels}.", labels=t.listed(beside)) if beside else None,
        ),
    )
    label = {Link: t("Another page"), Reply: t("Other words"), Buy: t("Another item")}[type(one)]
    what = [button(t("Another label"), "b:ask", "label", *at), button(label, "b:ask", "target", *at)]
    if isinstance(one, Buy):
        what.append(button(t("Price"), "b:ask", "price", *at))
    moves = {
        "up": t("▲ Row up") if row else None,
        "down": t("▼ Row down") if row < len(grid) - 1 else None,
        "left": t("◁ Left") if column else None,
        "right": t("▷ Right") if column < len(grid[row]) - 1 else None,
        "join": t("Into the row above") if row else None,
        "split": t("A row of its own") if beside else None,
    }
    ways = [button(words, "b:move", way, *at) for way, words in moves.items() if words]
    rows: Rows = [tuple(what), *(tuple(ways[start : start + 2]) for start in range(0, len(ways), 2))]
    rows.append((button(t("✕ Remove"), "b:cut", *at),))
    rows.append(footer(talk, button(t("◀ Back"), "b:on", *at[1:]), leave=work.leave))
    return card(text, rows)


def _does(talk: Talk, one: Button) -> Html:
    t = talk.t
    match one:
        case Link(link=link):
            return t("It opens {link}", link=link)
        case Reply(message=words):
            return t("The client says by it: “{words}”", words=words)
        case Buy(buy=item, price=None):
            return t("It orders {item}; no price is shown.", item=item)
        case Buy(buy=item, price=price):
            return t("It orders {item} for {price}.", item=item, price=price)


def _find(grid: Grid, number: int) -> tuple[int, int]:
    """Row and column of a button, counted along the rows. Raises NotFound."""
    places = [(row, column) for row, buttons in enumerate(grid) for column in range(len(buttons))]
    if number >= len(places):
        raise NotFound(_("That button is gone; choose again."))
    return places[number]


async def ask_set(
    talk: Talk, what: str, number: str, scope: str, place: str, subject_id: str, revision: str
) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    grid = _grid(work, int(place))
    row, column = _find(grid, int(number))
    one = grid[row][column]
    at = (int(number), *_at(work, place))
    talk.ask("b.set", what, *at)
    t = talk.t
    back = button(t("◀ Back"), "b:one", *at)
    if what == "label":
        return [card(t("What stands on the button?"), [footer(talk, back, leave=work.leave)], ask=one.label)]
    if what == "price":
        text = t("What does “{label}” cost? Type it, such as: 19.90 EUR", label=one.label)
        free = (button(t("Without a price"), "b:move", "free", *at),)
        return [card(text, [free, footer(talk, back, leave=work.leave)], ask="19.90 EUR")]
    kind = {Link: "link", Reply: "message", Buy: "buy"}[type(one)]
    return [_ask_target(talk, work, kind, one.label, back)]


async def hear_set(talk: Talk, said: Said, what: str, number: str, *at: str) -> Screens:
    work = await work_at(talk, at[0], *at[2:])
    grid = _grid(work, int(at[1]))
    row, column = _find(grid, int(number))
    one = grid[row][column]
    if what == "label":
        one = replace(one, label=_label(said))
    elif what == "price" and isinstance(one, Buy):
        one = replace(one, price=_price(said))
    else:
        one = _with_target(one, said)
    grid[row][column] = one
    work = await _put(talk, work, int(at[1]), grid)
    return [_one_card(talk, work, int(at[1]), int(number), talk.t("Changed, and saved."))]


async def move(talk: Talk, way: str, number: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    grid = _grid(work, int(place))
    row, column = _find(grid, int(number))
    one = grid[row][column]
    if way == "free" and isinstance(one, Buy):
        one = grid[row][column] = replace(one, price=None)
    else:
        grid = moved(grid, row, column, way)
    work = await _put(talk, work, int(place), grid)
    number_now = next(at for at, other in enumerate(other for row in grid for other in row) if other is one)
    return [_one_card(talk, work, int(place), number_now, talk.t("Changed, and saved."))]


def moved(grid: Grid, row: int, column: int, way: str) -> Grid:
    """The rows with one of them, or one button of it, in another place; the same where it can't go there."""
    rows = [list(one) for one in grid]
    one = rows[row][column]
    if way in ("up", "down"):
        to = min(max(row + (1 if way == "down" else -1), 0), len(rows) - 1)
        rows.insert(to, rows.pop(row))
    elif way in ("left", "right"):
        to = min(max(column + (1 if way == "right" else -1), 0), len(rows[row]) - 1)
        rows[row].insert(to, rows[row].pop(column))
    elif way == "join" and row:
        rows[row - 1].append(rows[row].pop(column))
    elif way == "split" and len(rows[row]) > 1:
        rows[row].pop(column)
        rows.insert(row + 1, [one])
    return [one for one in rows if one]


async def cut(talk: Talk, number: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    grid = _grid(work, int(place))
    row, column = _find(grid, int(number))
    grid[row].pop(column)
    work = await _put(talk, work, int(place), grid)
    return [await _card(talk, work, int(place), talk.t("Removed, and saved."))]
