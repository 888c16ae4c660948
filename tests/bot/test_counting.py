"""Clients by a filter without a mailing: counted, listed, saved, written to."""

from tests.bot.conftest import Desk


async def test_without_a_draft_the_audience_is_whoever_a_filter_finds(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/audience")
    chat.sees("Clients by a filter", "Everybody", "Now about 10 clients.")
    await chat.say("city is Kyiv")
    chat.sees("City is Kyiv", "Now about 1 client.")
    await chat.press("Who they are")
    chat.sees("Who is in “Clients by a filter”", "→ tg-shop")
    await chat.press("Back")
    await chat.press("✕ city is Kyiv")
    await chat.press("A saved segment")
    await chat.press("Ukrainians")
    chat.sees("Segment Ukrainians", "Now about 2 clients.")
    assert await shop.operations.list_mailings() == []


async def test_what_was_asked_for_becomes_a_segment_or_a_mailing(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/clients")
    await chat.press("By a filter")
    await chat.say("city is Kyiv")
    await chat.press("Save as a segment")
    await chat.say("Ukrainians")
    chat.sees("There is a segment “Ukrainians” already")
    await chat.say("Of Kyiv")
    chat.sees("Segment “Of Kyiv”", "City is Kyiv")
    await chat.say("/audience")
    chat.sees("City is Kyiv")  # where it was left
    await chat.press("New mailing to them")
    await chat.say("Hello, Kyiv!")
    [mailing] = await shop.operations.list_mailings()
    draft = (await shop.operations.get(mailing.id)).draft
    assert draft.audience == {"where": [{"field": "city", "is": "Kyiv"}]}
    await chat.say("/audience")
    chat.sees("Who gets “Hello, Kyiv”", "Now about 1 client.")


async def test_an_old_card_of_a_filter_shows_it_as_it_is(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/audience")
    old = chat.sees_button("By condition").token
    await chat.say("city is Kyiv")
    await chat.press_token(old)
    chat.sees("That card was old", "City is Kyiv")
