"""The conditions of an audience as a tree that buttons change: each term has a path, such as "r" for the root and
"r0_2" for the third of the first group. Plain data, as in a mailing file."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.texts import _
from engine.errors import NotFound

Term = Mapping[str, Any]
Audience = Mapping[str, Any]

ROOT = "r"
DEEPEST = 2  # groups in one another that buttons reach; a file may have more, and those are shown and removed whole
_MODES = ("all", "any")
_GONE = _("That condition is no longer there: open the audience again.")


def root_of(audience: Audience) -> Term:
    """All conditions as one group: a single group of any is the root itself."""
    where = [dict(term) for term in audience.get("where") or ()]
    return where[0] if len(where) == 1 and "any" in where[0] else {"all": where}


def with_root(audience: Audience, root: Term) -> dict[str, Any]:
    """The audience with these conditions in place of its own."""
    changed = {key: value for key, value in audience.items() if key != "where"}
    terms = terms_of(root)
    if not terms:
        return changed
    return changed | {"where": list(terms) if mode_of(root) == "all" else [dict(root)]}


def is_group(term: Term) -> bool:
    return any(mode in term for mode in _MODES)


def mode_of(group: Term) -> str:
    return next(mode for mode in _MODES if mode in group)


def terms_of(group: Term) -> Sequence[Term]:
    return list(group[mode_of(group)])


def below(path: str, place: int) -> str:
    return f"{path}{place}" if path == ROOT else f"{path}_{place}"


def depth(path: str) -> int:
    return len(_places(path))


def above(path: str) -> str:
    """The path of the group in which the term stands; of the root, the root."""
    return path.rpartition("_")[0] if "_" in path else ROOT


def term_at(root: Term, path: str) -> Term:
    """Raises NotFound where nothing stands there."""
    term = root
    for place in _places(path):
        terms = terms_of(term) if is_group(term) else []
        if place >= len(terms):
            raise NotFound(_GONE)
        term = terms[place]
    return term


def group_at(root: Term, path: str) -> Term:
    """The group at that path; one that is still to be made, right behind the last term, is empty and of the other
    mode than the one around it. Raises NotFound."""
    if path != ROOT:
        around = term_at(root, above(path))
        if is_group(around) and _places(path)[-1] == len(terms_of(around)):
            return {"any": []} if mode_of(around) == "all" else {"all": []}
    found = term_at(root, path)
    if not is_group(found):
        raise NotFound(_("That is no group any more: open the audience again."))
    return found


def with_term(root: Term, path: str, term: Term | None) -> Term:
    """The root with this term there: in place of what stands there, behind the last one, or nothing (None). A group
    that loses its last term goes too."""
    places = _places(path)
    if not places:
        return term if term is not None else {mode_of(root): []}
    changed = _with(root, places, term)
    return changed if changed is not None else {mode_of(root): []}


def with_added(root: Term, path: str, term: Term) -> Term:
    """The root with one more term in the group at that path; the same one twice stands once."""
    group = group_at(root, path)
    terms = terms_of(group)
    if term in terms:
        return root
    return with_term(root, path, {mode_of(group): [*terms, dict(term)]})


def with_mode(root: Term, path: str, mode: str) -> Term:
    """The group at that path asks for all of its terms, or for any."""
    return with_term(root, path, {mode: list(terms_of(group_at(root, path)))})


def values_at(root: Term, path: str, field: str) -> list[Any]:
    """The values of which one must hold there: those whose buttons are pressed."""
    place = _place_of(terms_of(group_at(root, path)), field)
    if place is None:
        return []
    condition = terms_of(group_at(root, path))[place]
    return list(condition["in"]) if "in" in condition else [condition["is"]]


def with_value_turned(root: Term, path: str, field: str, value: Any) -> Term:
    """The group with this value of the field pressed, or let go where it was pressed already."""
    pressed = values_at(root, path, field)
    pressed = [one for one in pressed if one != value] if value in pressed else [*pressed, value]
    place = _place_of(terms_of(group_at(root, path)), field)
    if not pressed:
        return root if place is None else with_term(root, below(path, place), None)
    condition = {"field": field, "in": pressed} if len(pressed) > 1 else {"field": field, "is": pressed[0]}
    return with_added(root, path, condition) if place is None else with_term(root, below(path, place), condition)


def _place_of(terms: Sequence[Term], field: str) -> int | None:
    """Where the condition stands that the buttons of values change."""
    places = (at for at, one in enumerate(terms) if one.get("field") == field and ("in" in one or "is" in one))
    return next(places, None)


def _with(group: Term, places: Sequence[int], term: Term | None) -> Term | None:
    terms: list[Term] = list(terms_of(group))
    first, rest = places[0], places[1:]
    if first > len(terms) or (rest and (first == len(terms) or not is_group(terms[first]))):
        raise NotFound(_GONE)
    changed = _with(terms[first], rest, term) if rest else term
    terms[first : first + 1] = [] if changed is None else [changed]
    return {mode_of(group): terms} if terms else None


def _places(path: str) -> list[int]:
    inside = path.removeprefix(ROOT)
    if not path.startswith(ROOT) or not all(one.isdecimal() for one in inside.split("_") if inside):
        raise NotFound(_GONE)
    return [int(one) for one in inside.split("_")] if inside else []
