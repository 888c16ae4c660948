"""What stands in chats already: deleted, or changed where it is. Both may be asked twice with the same result."""

from collections.abc import Mapping

from gateways.base import Correction, GatewayError, MessageRejected, Outgoing, PartKind, Rejected, SentPart
from gateways.telegram import render
from gateways.telegram.api import BotApi
from gateways.telegram.errors import AlreadyGone, AlreadySo

_CAPTIONED = frozenset({PartKind.PICTURE, PartKind.ALBUM, PartKind.VIDEO, PartKind.FILE})
_OF_SENDS = ("disable_notification", "protect_content")  # options that an edit does not have


class Changes:
    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def take_back(self, part: SentPart) -> GatewayError | None:
        """None: it is gone, also where the client had deleted it."""
        try:
            chat, message_ids = _place(part)
            if len(message_ids) > 1:  # an album
                await self._api.ask("deleteMessages", {"chat_id": chat, "message_ids": message_ids})
            else:
                await self._api.ask("deleteMessage", {"chat_id": chat, "message_id": message_ids[0]})
        except AlreadyGone:
            return None
        except GatewayError as error:
            return error
        return None

    async def correct(self, correction: Correction) -> GatewayError | None:
        """None: it reads so now. An album's words stand under its first picture."""
        try:
            chat, message_ids = _place(correction.sent)
            method, values = _edit(correction.outgoing, chat)
            if method:
                await self._api.ask(method, {"chat_id": chat, "message_id": message_ids[0], **values})
        except AlreadySo:
            return None
        except GatewayError as error:
            return error
        return None


def _place(part: SentPart) -> tuple[int | str, list[int]]:
    """The chat, which may have moved since, and the messages in it. Raises Rejected."""
    chat, _, number = part.external_id.rpartition(":")
    if not chat or not number.isdecimal():
        raise Rejected("Telegram did not tell the message's number", reason="no_number")
    several = part.details.get("message_ids")
    message_ids = [each for each in several if isinstance(each, int)] if isinstance(several, list) else []
    return render.chat_id(chat), message_ids or [int(number)]


def _edit(out: Outgoing, chat: int | str) -> tuple[str, Mapping[str, object]]:
    """The method and its parameters; no method where there is nothing that can differ. Raises MessageRejected."""
    kind = out.part.kind
    if kind is PartKind.TEXT:
        values = render.text_values(out, chat)
        return "editMessageText", {name: value for name, value in values.items() if name not in _OF_SENDS}
    markup = {"reply_markup": render.keyboard(out.buttons, out.button_data)} if out.buttons else {}
    if kind in _CAPTIONED:
        return "editMessageCaption", {**render.caption(out.text), **markup}
    if kind is PartKind.LOCATION:
        return ("editMessageReplyMarkup", markup) if markup else ("", {})
    raise MessageRejected(f"Telegram can't change a {kind.value}", reason="shape")
