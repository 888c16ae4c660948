"""aiogram as far as the surface uses it, imported without what nobody asks for.

While it is imported, aiogram has pydantic build the validator of each of its 450 types, and each holds all that it
refers to: five seconds of a core and 105 MiB. It says itself that they may be built later (`defer_build`); here they
are, when they are first used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel


@contextmanager
def _built_when_used() -> Iterator[None]:
    """What is imported inside keeps the names that its types refer to each other by, and is built by them later.

    Where aiogram is there already, or does not build its types any more, nothing changes."""
    as_it_was = BaseModel.__dict__["model_rebuild"]
    names: dict[str, Any] = {}

    def put_off(
        cls: type[BaseModel], /, *, _types_namespace: dict[str, Any] | None = None, **options: Any
    ) -> bool | None:
        if cls.__module__.startswith("aiogram.") and _types_namespace:
            names.update(_types_namespace)
            return None
        built: bool | None = as_it_was.__func__(cls, _types_namespace=_types_namespace, **options)
        return built

    BaseModel.model_rebuild = classmethod(put_off)  # type: ignore[assignment]
    try:
        yield
    finally:
        BaseModel.model_rebuild = as_it_was  # type: ignore[method-assign]
    if names:
        _build_by(names)


def _build_by(names: dict[str, Any]) -> None:
    """pydantic asks a type that is not built for `model_rebuild` when it is first used, and knows no names."""
    from aiogram.methods.base import Response, TelegramMethod
    from aiogram.types.base import TelegramObject

    as_it_is = BaseModel.__dict__["model_rebuild"].__func__

    def build(cls: type[BaseModel], /, *, _types_namespace: Any = None, **options: Any) -> bool | None:
        built: bool | None = as_it_is(cls, _types_namespace=_types_namespace or names, **options)
        return built

    for root in (Response, TelegramMethod, TelegramObject):
        root.model_rebuild = classmethod(build)  # type: ignore[assignment]


with _built_when_used():
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.exceptions import (
        ClientDecodeError,
        TelegramAPIError,
        TelegramBadRequest,
        TelegramConflictError,
        TelegramForbiddenError,
        TelegramNetworkError,
        TelegramNotFound,
        TelegramRetryAfter,
        TelegramServerError,
        TelegramUnauthorizedError,
    )
    from aiogram.methods import TelegramMethod
    from aiogram.types import (
        BotCommand,
        BotCommandScopeChat,
        BufferedInputFile,
        InlineKeyboardButton,
        InlineKeyboardMarkup,
        InputMediaPhoto,
        LinkPreviewOptions,
        Message,
        MessageEntity,
        Update,
    )

for _large in (Message, Update):  # 0.2 s, now rather than at the first press, when lanes would wait for it
    _large.model_rebuild()

__all__ = [
    "AiohttpSession",
    "Bot",
    "BotCommand",
    "BotCommandScopeChat",
    "BufferedInputFile",
    "ClientDecodeError",
    "InlineKeyboardButton",
    "InlineKeyboardMarkup",
    "InputMediaPhoto",
    "LinkPreviewOptions",
    "Message",
    "MessageEntity",
    "TelegramAPIError",
    "TelegramAPIServer",
    "TelegramBadRequest",
    "TelegramConflictError",
    "TelegramForbiddenError",
    "TelegramMethod",
    "TelegramNetworkError",
    "TelegramNotFound",
    "TelegramRetryAfter",
    "TelegramServerError",
    "TelegramUnauthorizedError",
    "Update",
]
