"""The filter builder: a field, how it is compared, its value, by buttons or typed; groups of all and any."""

from typing import Any

from bot.dialogs.choices import Field, Value, field_named, fields_of, is_text_of_card, keep_values, value_named
from bot.dialogs.choices import values_of as offered
from bot.dialogs.conditions import field_of, read_between, read_day, read_days, read_size, read_typed, read_value
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    digest,
    footer,
    in_rows,
    paragraphs,
    plain_words,
    primary,
    short,
    turner,
)
from bot.dialogs.targets import Target, changed, said_audience, said_count, target_at
from bot.dialogs.terms import (
    DEEPEST,
    ROOT,
    above,
    depth,
    group_at,
    is_group,
    mode_of,
    root_of,
    terms_of,
    values_at,
    with_added,
    with_root,
    with_term,
    with_value_turned,
)
from bot.dialogs.terms import below as path_below
from bot.dialogs.terms import with_mode as in_mode
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.audience import describe, read_audience
from engine.errors import Invalid

_FIELDS_ON_A_CARD = 18
_FOUND = 16  # of a search
_YES = digest("yes")  # the value of what is known or not
_ASKED: dict[str, str] = {
    "is": _("Press one or several, or type it."),
    "is_not": _("Press it, or type it."),
    "contains": _("Type a piece of it."),
    "gt": _("Type a number, such as 1000."),
    "gte": _("Type a number, such as 1000."),
    "lt": _("Type a number, such as 1000."),
    "lte": _("Type a number, such as 1000."),
    "between": _("Type two numbers, the lower one first, such as: 100 500."),
    "within_days": _("Press it, or type a number of days, such as 14."),
    "not_within_days": _("Who never was is in it too. Press it, or type a number of days, such as 14."),
}
_ASKED_OF_TIMES: dict[str, str] = {
    "is": _("Type the day, such as 2026-11-21."),
    "lt": _("Press it, or type a day, such as 2026-11-21."),
    "gte": _("Press it, or type a day, such as 2026-11-21."),
    "between": _("Type two days, the earlier one first, such as: 2026-01-01 2026-03-31."),
}


async def back_to(talk: Talk, target: Target, path: str = ROOT, note: str = "") -> Screens:
    """The card on which the conditions of that group stand."""
    if path != ROOT and path_stands(target, path):
        return [await _group_card(talk, target, path)]
    if target.mailing is not None:
        from bot.dialogs import audience

        return [await audience.audience_card(talk, target.mailing, note)]
    from bot.dialogs import counting, segments

    if target.segment is None:
        return [await counting.count_card(talk, target, note)]
    return [await segments.segment_card(talk, target, note)]


def path_stands(target: Target, path: str) -> bool:
    """Whether that group still has a condition in it."""
    try:
        return bool(terms_of(group_at(root_of(target.audience), path)))
    except Invalid:
        return False


# --- the field ---


async def open_fields(talk: Talk, letter: str, path: str, target_id: str, revision: str, page: str = "0") -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    return [await _fields_card(talk, target, path, await fields_of(talk), int(page))]


async def _fields_card(
    talk: Talk, target: Target, path: str, fields: list[Field], page: int = 0, found: str = ""
) -> Screen:
    t = talk.t
    here = target.here
    talk.ask(target.asks("field"), path, *here)
    shown = fields[page * _FIELDS_ON_A_CARD : (page + 1) * _FIELDS_ON_A_CARD]
    rows = in_rows([_field_button(target, path, one) for one in shown], 3)
    more = len(fields) > (page + 1) * _FIELDS_ON_A_CARD
    rows += turner(talk, page, more, target.button("if"), path, *here)
    root = root_of(target.audience)
    group = group_at(root, path)
    last = []
    if not found:
        last.append(button(t("What became of a mailing"), target.button("ml"), path, *here, 0))
    if not found and depth(path) < DEEPEST and terms_of(group):
        label = t("A group: any of several") if mode_of(group) == "all" else t("A group: all of several")
        last.append(button(label, target.button("if"), path_below(path, len(terms_of(group))), *here, 0))
    rows += [(one,) for one in last]
    back = button(t("◀ Back"), target.button("grp"), above(path) if not terms_of(group) else path, *here)
    rows.append(footer(talk, back, leave=target.draft_id))
    text = paragraphs(
        t("<b>Which condition?</b>"),
        _mode_words(talk, group, path),
        t("Fields with “{words}” in their name:", words=found) if found else None,
        t(
            "Press a field, or type a piece of its name. Or type it all: <code>city is Kyiv</code>, "
            "<code>ltv &gt;= 1000</code>, <code>plan is not free</code>."
        ),
    )
    return card(text, rows, ask=t.plain("A condition, such as: city is Kyiv"))


def _field_button(target: Target, path: str, field: Field) -> Any:
    first = field.comparisons[0]
    return button(short(field.label, 24), target.button("f"), path, digest(field.name), first, *target.here, 0)


def _mode_words(talk: Talk, group: Any, path: str) -> Html:
    t = talk.t
    if path == ROOT:
        return t("All conditions must hold.") if mode_of(group) == "all" else t("Any one condition is enough.")
    return t("In this group all must hold.") if mode_of(group) == "all" else t("In this group any one is enough.")


async def hear_field(talk: Talk, letter: str, said: Said, path: str, target_id: str, revision: str) -> Screens:
    """A field, a piece of its name, or a whole condition."""
    target = await target_at(talk, letter, target_id, revision)
    words = " ".join(plain_words(said).split())
    fields = await fields_of(talk)
    if words:
        named = field_of(words, [one.name for one in fields])
        exact = [one for one in fields if one.name == named or one.label.casefold() == words.casefold()]
        if exact:
            return [await _value_card(talk, target, path, exact[0], exact[0].comparisons[0])]
        found = [one for one in fields if words.casefold() in one.label.casefold()]
        if found:
            return [await _fields_card(talk, target, path, found, found=short(words, 40))]
    condition = await typed(talk, words)
    if condition is None:
        raise Invalid(_("Type a condition such as: city is Kyiv, ltv >= 1000, language is en."))
    return await _added(talk, target, path, condition)


async def typed(talk: Talk, words: str) -> Any:
    """The condition that was typed as a whole; None means everybody. Raises Invalid."""
    if not words:
        raise Invalid(_("Type a tag, or a condition such as: city is Kyiv, ltv >= 1000, language is en."))
    tags = [name for name, _count in await talk.store.clients.tags()]
    return read_typed(words, await talk.store.clients.attribute_names(), tags)


# --- the comparison and the value ---


async def open_values(
    talk: Talk, letter: str, path: str, field: str, comparison: str, target_id: str, revision: str, page: str = "0"
) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    known = await field_named(talk, field)
    if comparison not in known.comparisons:
        comparison = known.comparisons[0]
    return [await _value_card(talk, target, path, known, comparison, page=int(page))]


async def _value_card(
    talk: Talk,
    target: Target,
    path: str,
    field: Field,
    comparison: str,
    *,
    page: int = 0,
    found: list[Value] | None = None,
    note: str = "",
) -> Screen:
    t = talk.t
    here, at = target.here, (path, digest(field.name))
    talk.ask(target.asks("value"), field.name, comparison, path, *here)
    root = root_of(target.audience)
    pressed = values_at(root, path, field.name) if comparison == "is" else []
    values = await offered(talk, field, comparison) if found is None else found
    held = [one.is_ for one in values]
    # What was found by typing can be let go by its button too.
    values = [*(Value(one, str(one)) for one in pressed if one not in held), *values]
    shown = values[page * PAGE : (page + 1) * PAGE] if found is None else values
    keep_values(talk, shown)
    rows = in_rows([_comparison_button(talk, target, path, field, one, comparison) for one in field.comparisons], 3)
    labels = [(one, f"✓ {short(one.label, 26)}" if one.is_ in pressed else short(one.label, 28)) for one in shown]
    name = target.button("v")
    rows += in_rows([button(label, name, *at, comparison, digest(str(one.is_)), *here) for one, label in labels], 2)
    if found is None:
        rows += turner(talk, page, len(values) > (page + 1) * PAGE, target.button("f"), *at, comparison, *here)
    if pressed:
        rows.append((primary(t("Done"), target.button("grp"), path, *here),))
    empty_group = path != ROOT and not terms_of(group_at(root, path))
    back = button(t("◀ Back"), target.button("if"), path, *here, 0)
    rows.append(footer(talk, back, leave=target.draft_id))
    asked = (field.is_time and _ASKED_OF_TIMES.get(comparison)) or _ASKED.get(comparison, "")
    text = paragraphs(
        t("<b>{field}</b>: what must it be?", field=field.label),
        note or None,
        t("So far: {audience}", audience=said_audience(talk, target.audience)) if pressed and not empty_group else None,
        await said_count(talk, target) if pressed else None,
        t(asked) if found is None else None,
        t("No client has one yet.") if found is None and field.is_closed and not values and not pressed else None,
    )
    return card(text, rows, ask=t.plain("What “{field}” must be", field=short(field.label, 30)))


def _comparison_button(talk: Talk, target: Target, path: str, field: Field, one: str, now: str) -> Any:
    label = talk.t.plain(field.word(one))
    at = (path, digest(field.name), one)
    if one in ("known", "unknown"):  # nothing more is to be asked
        return button(label, target.button("v"), *at, _YES, *target.here)
    return button(f"✓ {label}" if one == now else label, target.button("f"), *at, *target.here, 0)


async def choose(
    talk: Talk, letter: str, path: str, field: str, comparison: str, value: str, target_id: str, revision: str
) -> Screens:
    """A value was pressed: of those that may be several, the card stays."""
    target = await target_at(talk, letter, target_id, revision)
    known = await field_named(talk, field)
    if comparison in ("known", "unknown"):
        return await _added(talk, target, path, {"field": known.name, comparison: True})
    taken = await value_named(talk, known, comparison, value)
    if comparison == "is" and not known.is_time:
        return await _turned(talk, target, path, known, taken)
    return await _added(talk, target, path, {"field": known.name, comparison: taken})


async def _turned(talk: Talk, target: Target, path: str, field: Field, value: Any) -> Screens:
    root = with_value_turned(root_of(target.audience), path, field.name, value)
    target = await changed(talk, target, with_root(target.audience, root))
    return [await _value_card(talk, target, path, field, "is")]


async def _added(talk: Talk, target: Target, path: str, condition: Any) -> Screens:
    root = with_added(root_of(target.audience), path, condition)
    return await back_to(talk, await changed(talk, target, with_root(target.audience, root)), path)


async def hear_value(
    talk: Talk, letter: str, said: Said, field: str, comparison: str, path: str, target_id: str, revision: str
) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    known = next((one for one in await fields_of(talk) if one.name == field), None)
    words = " ".join(plain_words(said).split())
    if known is None or not words:
        raise Invalid(_("Type what “{field}” must be, such as: Kyiv, not Kyiv, over 100, known."), field=field)
    if comparison in ("is", "is_not"):
        return await _hear_whole(talk, target, path, known, comparison, words)
    return await _added(talk, target, path, {"field": field, comparison: _read(known, comparison, words)})


def _read(field: Field, comparison: str, words: str) -> Any:
    """What was typed for that comparison. Raises Invalid."""
    match comparison:
        case "within_days" | "not_within_days":
            return read_days(words)
        case "between":
            return read_between(words, is_day=field.is_time)
        case "gt" | "gte" | "lt" | "lte":
            return read_size(words, is_day=field.is_time)
        case _:
            return words


async def _hear_whole(talk: Talk, target: Target, path: str, field: Field, comparison: str, words: str) -> Screens:
    """A whole value, a piece to look for, or a sign with a value ("over 100")."""
    if field.is_time:
        return await _added(talk, target, path, {"field": field.name, comparison: read_day(words)})
    values = await offered(talk, field, comparison, words)
    exact = next((one for one in values if str(one.is_).casefold() == words.casefold()), None)
    if exact is not None:
        return await _whole(talk, target, path, field, comparison, exact.is_)
    signed = read_value(field.name, words, [words])
    if not set(signed) & {"is"}:
        return await _added(talk, target, path, signed)
    value = words if is_text_of_card(field) else signed["is"]
    t = talk.t
    if not values and field.is_closed:
        raise Invalid(_("“{field}” is never “{value}”: press one of those that there are."), **_named(field, words))
    if not values:
        note = t("No client has “{value}” there so far; it counts as soon as one has.", value=short(words, 60))
        return await _whole(talk, target, path, field, comparison, value, note)
    found = values[:_FOUND]
    if not field.is_closed:
        found = [*found, Value(value, t.plain("“{value}” exactly", value=short(words, 18)))]
    note = t("Those with “{value}” in them; type more of it to narrow them down.", value=short(words, 40))
    return [await _value_card(talk, target, path, field, comparison, found=found, note=note)]


def _named(field: Field, words: str) -> dict[str, str]:
    return {"field": field.label, "value": short(words, 60)}


async def _whole(
    talk: Talk, target: Target, path: str, field: Field, comparison: str, value: Any, note: str = ""
) -> Screens:
    if comparison == "is_not":
        return await _added(talk, target, path, {"field": field.name, "is_not": value})
    if value not in values_at(root_of(target.audience), path, field.name):
        root = with_value_turned(root_of(target.audience), path, field.name, value)
        target = await changed(talk, target, with_root(target.audience, root))
    return [await _value_card(talk, target, path, field, "is", note=note)]


# --- groups ---


async def open_group(talk: Talk, letter: str, path: str, target_id: str, revision: str) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    return await back_to(talk, target, path)


async def _group_card(talk: Talk, target: Target, path: str) -> Screen:
    t = talk.t
    group = group_at(root_of(target.audience), path)
    talk.ask(target.asks("field"), path, *target.here)
    text = paragraphs(
        t("<b>A group of conditions</b>"),
        _mode_words(talk, group, path),
        t("All in all: {audience}", audience=said_audience(talk, target.audience)),
        await said_count(talk, target),
    )
    here = target.here
    rows = condition_rows(talk, target, path)
    rows.append((button(t("Add a condition"), target.button("if"), path, *here, 0),))
    rows.append((button(t("Remove the group"), target.button("cut"), path, *here),))
    rows.append((primary(t("Done"), target.button("grp"), above(path), *here),))
    rows.append(footer(talk, button(t("◀ Back"), target.button("grp"), above(path), *here), leave=target.draft_id))
    return card(text, rows, ask=t.plain("A condition, such as: city is Kyiv"))


def condition_rows(talk: Talk, target: Target, path: str = ROOT, most: int = 12) -> Rows:
    """A button for each condition, which removes it, and for each group, which opens it; and whether all must hold."""
    t = talk.t
    group = group_at(root_of(target.audience), path)
    terms = terms_of(group)
    rows: Rows = []
    if len(terms) > 1:
        modes = [("all", t("All must hold")), ("any", t("Any is enough"))]
        name = target.button("mode")
        labels = [(mode, f"✓ {label}" if mode == mode_of(group) else label) for mode, label in modes]
        rows.append(tuple(button(label, name, mode, path, *target.here) for mode, label in labels))
    for place, term in enumerate(terms[:most]):
        words = describe(read_audience({"where": [term]}), t.plain)
        its = path_below(path, place)
        opens = is_group(term) and depth(its) <= DEEPEST
        name = target.button("grp" if opens else "cut")
        rows.append((button(f"▸ {words}" if opens else f"✕ {words}", name, its, *target.here),))
    return rows


async def set_mode(talk: Talk, letter: str, mode: str, path: str, target_id: str, revision: str) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    if mode not in ("all", "any"):
        raise Invalid(_("I don't know that button any more."))
    root = in_mode(root_of(target.audience), path, mode)
    return await back_to(talk, await changed(talk, target, with_root(target.audience, root)), path)


async def cut(talk: Talk, letter: str, path: str, target_id: str, revision: str) -> Screens:
    """A condition, or a whole group, away."""
    target = await target_at(talk, letter, target_id, revision)
    root = with_term(root_of(target.audience), path, None)
    return await back_to(talk, await changed(talk, target, with_root(target.audience, root)), above(path))
