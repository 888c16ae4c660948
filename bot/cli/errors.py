"""Errors that no command told of itself, in words: what, where, how to mend."""

from typing import NamedTuple

from bot.config import ConfigError
from bot.ports import TakenPort
from engine.errors import Invalid
from gateways.base import GatewayError
from storage.database import UnusableStorage
from storage.runs import AnotherEngine
from storage.writer import WriterStopped

FAILED = 1
WRONG = 2


class Told(NamedTuple):
    words: str
    code: int


def words_of(error: BaseException) -> Told:
    """What to say of the error, and the exit code: 1 it failed, 2 wrong usage or configuration."""
    match error:
        case Invalid():
            return Told(str(error), FAILED)
        case ConfigError() | UnusableStorage() | AnotherEngine():
            return Told(_ended(str(error)), WRONG)
        case WriterStopped():  # through a fault: at an orderly end nobody writes after it
            return Told("Writing to the storage broke down, so nothing could be kept. Start Carillon anew.", FAILED)
        case TakenPort():
            return Told(str(error), FAILED)
        case GatewayError():
            return Told(f"The messenger answered: {error.words or type(error).__name__}.", FAILED)
        case ConnectionError():  # of the storage's server: messengers fail in their own words
            return Told(f"The storage does not answer: {error}.\nSee url in [storage], and whether it runs.", FAILED)
        case OSError():
            about = f"{error.filename}: " if error.filename else ""
            return Told(f"{about}{error.strerror or type(error).__name__}.", FAILED)
    driver_error = getattr(error, "orig", None)  # of whatever the database's driver raised
    if isinstance(driver_error, Exception):
        words = (str(driver_error) or type(driver_error).__name__).splitlines()[0]
        return Told(f"The storage refused: {words}.\nSee url in [storage], and whether it runs.", FAILED)
    return Told(
        f"Something broke inside Carillon ({type(error).__name__}).\n"
        "Run it again with CARILLON_DEBUG=1 to see where, and tell us.",
        FAILED,
    )


def _ended(words: str) -> str:
    return words if words.endswith((".", "?", "…")) else f"{words}."
