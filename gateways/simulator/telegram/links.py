"""Which links Telegram takes in buttons and texts, and how it writes them back."""

import re

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?!\d+(?:/|$))(.*)$", re.DOTALL)
_HOST = re.compile(r"^(?:[^@/?#]*@)?(\[[0-9A-Fa-f:.]+\]|[^:/?#]+)(?::(\d{1,5}))?([/?#].*)?$", re.DOTALL)
WRONG_URL = "Wrong HTTP URL"
WRONG_PROTOCOL = "Unsupported URL protocol"


class BadLink(ValueError):
    """The reason, in Telegram's words."""


def check_link(link: str) -> str:
    """The link as Telegram writes it back. Raises BadLink."""
    link = link.strip()
    scheme, rest = "http", link
    if match := _SCHEME.match(link):
        scheme, rest = match[1].lower(), match[2]
    if scheme in ("tg", "ton"):
        return f"{scheme}://{rest.removeprefix('//')}"
    if scheme not in ("http", "https"):
        raise BadLink(WRONG_PROTOCOL)
    host = _HOST.match(rest.removeprefix("//"))
    if host is None or any(blank in link for blank in " \t\n"):
        raise BadLink(WRONG_URL)
    name, port, path = host[1].lower(), host[2], host[3] or "/"
    if "." not in name and not name.startswith("["):  # so "localhost" is refused, as by the platform
        raise BadLink(WRONG_URL)
    if not path.startswith("/"):
        path = "/" + path
    return f"{scheme}://{name}{':' + port if port else ''}{path}"


def checked_link(link: str) -> str | None:
    try:
        return check_link(link)
    except BadLink:
        return None
