"""Who may do what. The presser's role counts, never the chat's."""

from engine.errors import Refused, _
from storage.records import Actor, Role

_READ = frozenset({"statistics"})
_LOOK = _READ | {"look"}
_APPROVE = _LOOK | {"approve"}
_OPERATE = _LOOK | {
    "compose",
    "launch",
    "pause",
    "resume",
    "cancel",
    "copy",
    "delete",
    "speed",
    "test",
    "repeat",
    "amend",
    "archive",
    "stop",
    "clients",
    "segments",
    "topup",
}
_OWN = _OPERATE | _APPROVE | {"go", "people", "opt_in", "erase"}

RIGHTS = {Role.MANAGER: _READ, Role.APPROVER: _APPROVE, Role.OPERATOR: _OPERATE, Role.OWNER: _OWN}


def may(role: Role, verb: str) -> bool:
    """Whether a role has the right to a verb: statistics (numbers), look (contents), compose, launch … go."""
    return verb in RIGHTS[role]


def require(actor: Actor, verb: str) -> None:
    """Raises Refused."""
    if not may(actor.role, verb):
        if verb == "go":
            raise Refused(_("Only an owner may lift the kill switch."))
        raise Refused(_("Your role ({role}) does not include this; ask an owner."), role=actor.role.value)
