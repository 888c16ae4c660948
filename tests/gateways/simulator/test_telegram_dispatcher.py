"""A bot written with aiogram, from the first message to the last, as its authors would run it."""

import asyncio

from aiogram import Bot, Dispatcher
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient


async def test_a_client_talks_with_a_polling_bot(bot: Bot, shop: SimulatedBot, ann: SimulatedClient) -> None:
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def ask(message: Message) -> None:
        yes = InlineKeyboardButton(text="Yes", callback_data="yes")
        await message.answer(f"Hello {message.text}", reply_markup=InlineKeyboardMarkup(inline_keyboard=[[yes]]))

    @dispatcher.callback_query()
    async def thank(query: CallbackQuery) -> None:
        await query.answer("Noted")
        assert isinstance(query.message, Message)
        await query.message.edit_text("Thanks")

    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False))
    ann.start("promo")
    (question,) = await ann.receives(containing="Hello /start promo")
    query_id = ann.presses(question.message_id, "Yes")
    await ann.receives(containing="Thanks")
    answer = shop.answer_to(query_id)
    assert answer is not None
    assert answer.text == "Noted"
    await dispatcher.stop_polling()
    await polling
