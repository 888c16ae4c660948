"""Screens put into a chat: sent, or edited in place."""

from collections.abc import Callable
from dataclasses import replace

from bot.screens import Busy, Screen, Unreachable
from bot.surfaces.telegram import cards
from bot.surfaces.telegram.library import (
    Bot,
    BufferedInputFile,
    InputMediaPhoto,
    LinkPreviewOptions,
    MessageEntity,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramRetryAfter,
)
from bot.texts import Texts
from engine.clock import Clock
from gateways.base import Gateway, GatewayError, Throttled

LONGEST_WAIT_S = 60.0  # for an answer to a person, when Telegram asks us to wait
_ALBUM = 10  # pictures of one; core.telegram.org/bots/api#sendmediagroup
_NO_LINK_PREVIEW = LinkPreviewOptions(is_disabled=True)


class Painter:
    """Both raise Busy, Unreachable, or what aiogram raises. `speaker` sends previews, as it sends to clients."""

    def __init__(self, bot: Bot, speaker: Gateway, clock: Clock, texts: Callable[[str], Texts]) -> None:
        self._bot = bot
        self._speaker = speaker
        self._clock = clock
        self._texts = texts  # of a chat

    async def show(self, chat: str, screen: Screen) -> str:
        """Send the screen as new messages; returns the id of its card. Raises Busy, Unreachable, TelegramAPIError."""
        screen = self._for_many(chat, screen)
        failed = await self._show_album(chat, screen) or await self._show_preview(chat, screen)
        if failed:
            t = self._texts(chat)
            screen = replace(
                screen, text=f"{t('⚠ Telegram did not take the preview: {words}', words=failed)}\n\n{screen.text}"
            )
        with _Translated():
            return await self._send_files(chat, screen) or (await self._send_card(chat, screen) if screen.text else "")

    async def _send_files(self, chat: str, screen: Screen) -> str:
        """Send the files; the last one carries a short card, so that both come or neither. Returns its id then."""
        texts = cards.texts_of(screen)
        carries = not screen.picture and bool(screen.text) and len(texts[0][0]) <= cards.MAX_CAPTION
        message_id = ""
        for number, file in enumerate(screen.files, start=1):
            caption = texts[0] if carries and number == len(screen.files) else ("", [])
            sent = await self._bot.send_document(
                _chat_id(chat),
                BufferedInputFile(file.content, file.name),
                caption=caption[0] or None,
                caption_entities=caption[1] or None,
                reply_markup=cards.keyboard(screen.rows) if caption[0] else None,
            )
            message_id = str(sent.message_id) if caption[0] else ""
        return message_id

    async def _send_card(self, chat: str, screen: Screen) -> str:
        rows = cards.keyboard(screen.rows)
        texts = cards.texts_of(screen)
        if screen.picture is not None:
            caption = texts[0] if len(texts[0][0]) <= cards.MAX_CAPTION else ("", [])
            picture = BufferedInputFile(screen.picture, "picture.png")
            sent = await self._bot.send_photo(
                _chat_id(chat),
                picture,
                caption=caption[0] or None,
                caption_entities=caption[1] or None,
                reply_markup=rows if caption[0] else None,
            )
            if caption[0]:
                return str(sent.message_id)
        for number, (text, entities) in enumerate(texts, start=1):
            sent = await self._bot.send_message(
                _chat_id(chat),
                text,
                entities=entities or None,
                reply_markup=rows if number == len(texts) else None,
                link_preview_options=_NO_LINK_PREVIEW,
            )
        return str(sent.message_id)

    async def _show_album(self, chat: str, screen: Screen) -> str:
        """Send the pictures; returns Telegram's words where it takes them not."""
        media = [
            InputMediaPhoto(media=BufferedInputFile(one.png, "picture.png"), caption=one.title) for one in screen.album
        ]
        with _Translated():
            try:
                for at in range(0, len(media), _ALBUM):
                    piece = media[at : at + _ALBUM]
                    if len(piece) == 1:
                        await self._bot.send_photo(_chat_id(chat), piece[0].media, caption=piece[0].caption)
                    else:
                        await self._bot.send_media_group(_chat_id(chat), media=[*piece])
            except TelegramBadRequest as error:
                if "chat not found" in error.message.lower():
                    raise
                return error.message
        return ""

    async def _show_preview(self, chat: str, screen: Screen) -> str:
        """Send the real message; returns Telegram's words where it takes it not."""
        for outgoing in screen.preview:
            answer = (await self._speaker.send([replace(outgoing, address=chat)]))[0]
            if isinstance(answer, Throttled):
                await self._clock.sleep(min(answer.retry_after_s, LONGEST_WAIT_S))
                answer = (await self._speaker.send([replace(outgoing, address=chat)]))[0]
            if isinstance(answer, GatewayError):
                return answer.words or answer.code or type(answer).__name__
        return ""

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        """Replace a card in place; where Telegram refuses for good, send it anew. Raises as `show`."""
        texts = cards.texts_of(self._for_many(chat, screen))
        too_long = len(texts) > 1 or (screen.picture is not None and len(texts[0][0]) > cards.MAX_CAPTION)
        if too_long or screen.album or screen.files or not message_id.isdecimal():
            return await self.show(chat, screen)
        with _Translated():
            try:
                await self._put(chat, int(message_id), screen, *texts[0])
            except TelegramBadRequest as error:
                if "not modified" in error.message.lower():
                    return message_id
                if "chat not found" in error.message.lower():
                    raise
                return await self._send_card(chat, self._for_many(chat, screen))
        return message_id

    def _for_many(self, chat: str, screen: Screen) -> Screen:
        """A question in a group says how it is answered there: Telegram tells a bot of answers to its own messages;
        core.telegram.org/bots/features#privacy-mode"""
        if not chat.startswith("-") or not screen.ask:
            return screen
        t = self._texts(chat)
        how = t("Here, write it as a reply to this message: I may see no other.")
        return replace(screen, text=f"{screen.text}\n\n<i>{how}</i>")

    async def _put(self, chat: str, message_id: int, screen: Screen, text: str, entities: list[MessageEntity]) -> None:
        """Put other content into a message. A picture may come to a text as well, never the other way;
        core.telegram.org/bots/api#editmessagemedia, Bot API 10.2"""
        rows = cards.keyboard(screen.rows)
        if screen.picture is None:
            await self._bot.edit_message_text(
                text,
                chat_id=_chat_id(chat),
                message_id=message_id,
                entities=entities or None,
                reply_markup=rows,
                link_preview_options=_NO_LINK_PREVIEW,
            )
            return
        picture = BufferedInputFile(screen.picture, "picture.png")
        media = InputMediaPhoto(media=picture, caption=text, caption_entities=entities or None)
        await self._bot.edit_message_media(media, chat_id=_chat_id(chat), message_id=message_id, reply_markup=rows)


class _Translated:
    """aiogram's errors as ours, where ours say what to do; all others pass as they are."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TelegramRetryAfter):
            raise Busy(float(error.retry_after)) from error
        if isinstance(error, TelegramForbiddenError):
            raise Unreachable from error
        if isinstance(error, TelegramBadRequest) and "chat not found" in error.message.lower():
            raise Unreachable from error


def _chat_id(chat: str) -> int | str:
    return int(chat) if chat.removeprefix("-").isdecimal() else chat
