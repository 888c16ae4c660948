"""Where in a TOML source a key stands, so that an error can name the line."""

import re
from collections.abc import Mapping

Place = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[|\[)\s*(?P<key>[^\]]+?)\s*(\]\]|\])")
_BARE_OR_QUOTED = r"[A-Za-z0-9_-]+|\"(?:\\.|[^\"\\])*\"|'[^']*'"
_ASSIGNMENT = re.compile(rf"^\s*(?P<key>(?:{_BARE_OR_QUOTED})(?:\s*\.\s*(?:{_BARE_OR_QUOTED}))*)\s*=")
_KEY = re.compile(_BARE_OR_QUOTED)
_TOKEN = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*|[\[\]{}]")


def key_lines(source: str) -> Mapping[Place, int]:
    """The line (from 1) of every table and key that begins a line; keys of inline tables are found at their table's.

    A place is a path such as ("channels", 0, "token"). The source has been parsed before: this only finds."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    depth, quote = 0, ""
    for number, line in enumerate(source.splitlines(), start=1):
        if not quote and depth == 0:
            if header := _HEADER.match(line):
                table = _table(header, counts)
                lines.setdefault(table, number)
                continue
            if assignment := _ASSIGNMENT.match(line):
                lines.setdefault((*table, *_names(assignment["key"])), number)
        depth, quote = _after(line, depth, quote)
    return lines


def line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """The line of the place, or of the nearest thing around it that has one."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


def _table(header: re.Match[str], counts: dict[Place, int]) -> Place:
    """The place of a table: each name of an array of tables is followed by the number of its latest entry."""
    place: Place = ()
    names = _names(header["key"])
    for position, name in enumerate(names, start=1):
        place = (*place, name)
        if position == len(names) and header[1] == "[[":
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _names(key: str) -> list[str]:
    return [name.strip("\"'") for name in _KEY.findall(key)]


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How deep in brackets the next line begins, and in which long quote."""
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        match token[0]:
            case '"""' | "'''":
                quote = token[0]
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
    return depth, quote
