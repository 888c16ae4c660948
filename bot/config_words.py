"""What is wrong with a configuration, in words."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from bot.toml_source import Place

# Described, and refused until it is built: the path of a key, whichever entry of a list it stands in.
NOT_BUILT: Mapping[tuple[str, ...], str] = {
    ("sending", "quiet_hours"): "quiet_hours in [sending] is planned and not built yet; take it out",
    ("sending", "cap"): "cap in [sending] is planned and not built yet; take it out",
}

_TYPES = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list in [ ]",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}


def sentence_of(problem: Mapping[str, Any], place: Place, data: Mapping[str, Any], known: Sequence[str]) -> str:
    """The sentence about what pydantic found wrong at the place; never the value, which may be a secret."""
    key = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
    where = section_of(place, data)
    limits = problem.get("ctx") or {}
    match str(problem["type"]):
        case "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean “{near[0]}”" if near else f"it knows {', '.join(known)}"
            return f"there is no key “{key}” in {where}; {hint}" + ("?" if near else "")
        case "missing":
            return f"{where} needs {key}"
        case "literal_error":
            return f"{key} in {where} must be {limits['expected'].replace(chr(39), chr(34))}"
        case "greater_than":
            return f"{key} in {where} must be above {_number(limits['gt'])}"
        case "greater_than_equal":
            return f"{key} in {where} must be at least {_number(limits['ge'])}"
        case "less_than_equal":
            return f"{key} in {where} must be at most {_number(limits['le'])}"
        case "string_too_short" | "too_short":
            return f"{key} in {where} is empty"
        case "string_pattern_mismatch" if "https?" in str(limits.get("pattern")):
            return f"{key} in {where} must be a URL that begins with https:// or http://"
        case "value_error" if not place:
            return str(limits["error"])
        case "value_error" if str(limits["error"]).startswith(f"{key} "):
            return f"{where}: {limits['error']}"
        case "value_error":
            return f"{key} in {where}: {limits['error']}"
        case kind if kind in _TYPES:
            return f"{key} in {where} must be {_TYPES[kind]}"
        case _:
            return f"{key} in {where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def section_of(place: Place, data: Mapping[str, Any]) -> str:
    """The table around a place, as a person wrote it: [web], [[channels]] “tg-shop”, the file."""
    if len(place) < 2 and not (place and place[0] in ("bots", "channels", "people")):
        return "the file"
    if len(place) > 1 and isinstance(place[1], int):
        table = data.get(str(place[0]), [])
        entry = table[place[1]] if isinstance(table, list) and place[1] < len(table) else {}
        name = (entry.get("id") or entry.get("name") or entry.get("kind")) if isinstance(entry, Mapping) else None
        section = f"[[{place[0]}]] “{name}”" if isinstance(name, str | int) else f"[[{place[0]}]] no. {place[1] + 1}"
        inner = [part for part in place[2:-1] if isinstance(part, str)]
    else:
        section = f"[{place[0]}]"
        inner = [part for part in place[1:-1] if isinstance(part, str)]
    return " ".join([*inner, "of", section]) if inner else section


def _number(value: float) -> str:
    return f"{value:g}"
