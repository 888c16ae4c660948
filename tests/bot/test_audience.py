"""Who gets it, as chats: the filter builder, segments, lists of clients, channels by hand."""

from sqlalchemy import insert, select

from engine.plan import Planner
from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.records import Mailing, Routing, Status
from storage.schema import addresses, clients
from tests.bot.chat import Chat
from tests.bot.conftest import Desk


async def at_audience(desk: Desk, name: str = "Olha") -> Chat:
    chat = desk.chat(name)
    await chat.say("/new")
    await chat.say("The spring sale is on.")
    await chat.press("Next: audience")
    return chat


async def only_mailing(desk: Desk) -> Mailing:
    found = await desk.operations.list_mailings()
    return await desk.operations.get(found[0].id)


async def audience_of(desk: Desk) -> object:
    return dict((await only_mailing(desk)).draft.audience)


async def test_a_condition_is_pressed_together(shop: Desk) -> None:
    chat = await at_audience(shop)
    chat.sees("Everybody", "Only who is connected and subscribed gets it", "Now about 10 clients.")
    await chat.press("By condition")
    chat.sees("Which condition?", "All conditions must hold.")
    await chat.press("city")
    assert "✓ is" in chat.labels()
    await chat.press("Lviv")
    chat.sees("So far: City is Lviv", "Now about 9 clients.")
    await chat.press("Kyiv")
    chat.sees("City is one of Lviv, Kyiv", "Now about 10 clients.")
    await chat.press("✓ Lviv")
    await chat.press("Done")
    chat.sees("City is Kyiv", "Now about 1 client.")
    await chat.press("By condition")
    await chat.press("Last seen")
    await chat.press("is not known")
    chat.sees("City is Kyiv and last seen is unknown", "Now about 1 client.")
    await chat.press("✕ city is Kyiv")
    chat.sees("Last seen is unknown", "Now about 10 clients.")


async def test_every_comparison_has_its_question_and_its_refusal(shop: Desk) -> None:
    chat = await at_audience(shop)
    for pressed, wrong, why, right, said in (
        ("in the last days", "soon", "Type a number of days, such as 14.", "14 days", "within the last 14 days"),
        ("not in the last days", "soon", "Type a number of days", "30", "not within the last 30 days"),
        ("before", "soon", "“soon” is no date", "21.11.2026", "before 2026-11-21"),
        ("since", "2026-13-40", "is no date", "2026-01-31", "on 2026-01-31 or later"),
        ("from … to …", "2026-01-01", "Type two of them", "from 31.03.2026 to 1.1.2026", "is from 2026-01-01 to"),
        ("on a day", "today", "is no date", "1.2.2026", "on 2026-02-01"),
    ):
        await chat.say("/audience")
        await chat.press("Everybody")
        await chat.press("By condition")
        await chat.press("Created")
        await chat.press(pressed)
        await chat.say(wrong)
        chat.sees(why)
        await chat.say(right)
        chat.sees(f"Created {said}", "Now about")
    await chat.press("By condition")
    await chat.press("Created")
    await chat.press("before")
    await chat.press("30 days ago")
    chat.sees("created before 2026-10-22")


async def test_fields_values_and_segments_are_found_by_typing(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.press("By condition")
    await chat.say("name")
    chat.sees("what must it be?")  # the field that is called exactly so
    await chat.press("Back")
    await chat.say("nam")
    chat.sees("Fields with “nam” in their name:")
    await chat.press("First name")
    chat.sees("Press one or several, or type it.")
    await chat.say("client1")
    chat.sees("Those with “client1” in them")
    await chat.press("Client11")
    await chat.say("Client10")
    chat.sees("First name is one of Client11, Client10", "Left out 1")
    assert "✓ Client11" in chat.labels()
    await chat.press("Done")
    await chat.press("Everybody")
    await chat.press("By condition")
    await chat.press("city")
    await chat.say("Odesa")
    chat.sees("No client has “Odesa” there so far", "City is Odesa", "Now about 0 clients.")
    await chat.press("Done")
    await chat.say("ukr")
    chat.sees("I know no tag “ukr”")
    await chat.press("Back")
    await chat.press("A saved segment")
    await chat.say("nothing")
    chat.sees("No segment has “nothing” in its name.")
    await chat.say("ukr")
    chat.sees("Segment Ukrainians and city is Odesa")
    await chat.press("By tag")
    await chat.say("nobody")
    chat.sees("“Tag” is never “nobody”: press one of those that there are.")
    await chat.say("VIP")
    assert "vip" in str(await audience_of(shop))


async def test_conditions_are_joined_by_any_and_in_groups(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.say("city is Kyiv")
    await chat.say("language is uk")
    chat.sees("City is Kyiv and language is uk", "Now about 0 clients.")
    await chat.press("Any is enough")
    chat.sees("City is Kyiv or language is uk", "Now about 3 clients.")
    assert await audience_of(shop) == {
        "where": [{"any": [{"field": "city", "is": "Kyiv"}, {"field": "language", "is": "uk"}]}]
    }
    await chat.press("By condition")
    chat.sees("Any one condition is enough.")
    await chat.press("A group: all of several")
    chat.sees("In this group all must hold.")
    await chat.say("tag is vip")
    chat.sees("A group of conditions", "City is Kyiv or language is uk or tag is vip")
    await chat.press("Add a condition")
    await chat.press("Language")
    await chat.press("en ·")
    await chat.press("Done")
    chat.sees("City is Kyiv or language is uk or (tag is vip and language is en)", "Now about 4 clients.")
    await chat.press("Done")
    await chat.press("▸")
    await chat.press("✕ tag is vip")
    chat.sees("City is Kyiv or language is uk or language is en")
    await chat.press("Remove the group")
    chat.sees("City is Kyiv or language is uk", "Now about 3 clients.")
    await chat.press("✕ city is Kyiv")
    await chat.press("✕ language is uk")
    assert await audience_of(shop) == {}


async def test_who_read_an_earlier_mailing_is_a_condition(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.say("/launch 1")
    await chat.press("Send to")
    await chat.say("/new Second")
    await chat.say("Once more")
    await chat.press("Next: audience")
    await chat.press("By condition")
    await chat.press("What became of a mailing")
    await chat.say("no such")
    chat.sees("There is no mailing “no such”")
    await chat.press("#1")
    chat.sees("What became of “The spring sale is on” with the client?")
    await chat.press("Did not read it")
    chat.sees("Mailing 1 not read", "Now about 10 clients.")


async def test_an_audience_is_saved_as_a_segment_and_counted_again(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.say("vip")
    await chat.press("Save as a segment")
    await chat.say("x" * 101)
    chat.sees("A segment's name has 1 to 100 characters.")
    await chat.say("Best")
    chat.sees("Saved as the segment “Best”; this mailing goes to it now.", "Segment Best", "4 in it")
    await chat.press("Save as a segment")
    await chat.say("Best")
    chat.sees("It goes to the segment “Best” as it is.")
    await shop.clock.advance(7200)
    client = (await shop.store.clients.find("Client5"))[0]
    await shop.store.clients.tag(client.id, "vip")
    await chat.press("Count again")
    chat.sees("Tag is vip", "Segment “Best”: 4 when it was counted last (2 h ago), 5 now.")
    await chat.press("✕ Best")
    await chat.say("language is uk")
    await chat.press("Save as a segment")
    await chat.say("Best")
    chat.sees("There is a segment “Best” already: Tag is vip.")
    await chat.press("Replace “Best”")
    chat.sees("Segment Best", "2 clients.")
    [segment] = [one for one in await shop.store.segments.list() if one.name == "Best"]
    assert (dict(segment.audience), segment.last_count) == ({"where": [{"field": "language", "is": "uk"}]}, 2)


async def test_segments_are_made_changed_and_deleted_without_a_mailing(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/segments")
    chat.sees("• Ukrainians – not counted yet")
    await chat.press("New segment")
    await chat.say("Ukrainians")
    chat.sees("There is a segment “Ukrainians” already: type another name.")
    await chat.say("Kyiv")
    chat.sees("Everybody is in it until you set conditions.")
    old = chat.sees_button("By tag").token
    await chat.say("citi is Kyiv")
    chat.sees("did you mean “city”?")
    await chat.press("Back")
    await chat.say("city is Kyiv")
    chat.sees("Segment “Kyiv”", "City is Kyiv", "Now about 1 client.")
    await chat.press_token(old)
    chat.sees("That card was old: “Kyiv” has changed since.", "City is Kyiv")
    await chat.press("New mailing to it")
    await chat.say("Hello, Kyiv!")
    chat.sees("draft #1")
    assert await audience_of(shop) == {"segment": "Kyiv"}
    await chat.say("/check 1")
    await chat.say("/segments kyiv")
    await chat.press("Delete")
    chat.sees("It can't be brought back")
    await chat.press("No, keep it")
    await chat.press("Delete")
    await chat.press("Yes, delete it")
    chat.sees("Deleted: “Kyiv”.", "• Ukrainians")
    await chat.say("/audience 1")
    chat.sees("⚠ There is no segment “Kyiv”.")
    await chat.press("✕ Kyiv")
    chat.sees("Everybody")


async def test_who_gets_it_is_listed_with_the_channel(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.press("Who they are")
    chat.sees("Ann Lee → tg-shop", "Client8 Test → tg-shop")
    chat.sees_not("Client9")
    await chat.press("More ▶")
    chat.sees("Client9 Test → tg-shop", "Client11 Test – left out: blocked us")
    await chat.press("◀ Back a page")
    chat.sees("Ann Lee")
    await chat.press("Only who is left out")
    chat.sees("Client11 Test – left out: blocked us", "Client12 Test – left out: unsubscribed")
    chat.sees_not("Ann Lee")
    await chat.press("Everybody")
    await chat.say("sova")
    chat.sees("Only those with “sova”", "Iryna Sova → tg-shop")
    chat.sees_not("Ann")
    await chat.say("nobody like that")
    chat.sees("Nobody here.")
    await chat.press("✕ nobody")
    await chat.press("Ann Lee")
    chat.sees("Ann Lee · id c1")
    await chat.say("/check 1")
    await chat.press("Who they are")
    await chat.press("Back")
    chat.sees("Send “The spring sale is on” to 10 clients now?")


async def test_the_launch_tells_how_many_it_was_and_how_many_it_is(shop: Desk) -> None:
    chat = await at_audience(shop)
    await chat.say("vip")
    client = (await shop.store.clients.find("Client6"))[0]
    await shop.store.clients.tag(client.id, "vip")
    await chat.say("/check 1")
    chat.sees("It has changed: 4 when it was counted last (just now), 5 now.")
    await chat.press("Check again")
    chat.sees_not("It has changed")
    mailing = await only_mailing(shop)
    assert (mailing.status, mailing.last_count) == (Status.DRAFT, 5)
    await chat.press("Send to 5 clients")
    another = (await shop.store.clients.find("Client7"))[0]
    await shop.store.clients.tag(another.id, "vip")
    planned = await Planner(shop.store, shop.settings, shop.clock).plan_next(await only_mailing(shop))
    assert planned.planned == 6
    await chat.say("/now")
    chat.sees("The audience was 5 when it was checked, and 6 at the start.")


async def test_channels_are_chosen_by_hand(shop: Desk) -> None:
    await also_on_club(shop, "c1", "c2")
    chat = await at_audience(shop)
    await chat.press("Channels")
    chat.sees("Each client gets it on the main channel.")
    await chat.press("tg-club")
    chat.sees("Only through tg-club", "Now about 2 clients.", "10 no address")
    await chat.press("tg-shop")
    await chat.press("One after another")
    chat.sees("One after another, until it arrives: tg-club, tg-shop.")
    await chat.press("Done")
    chat.sees("One after another, until it arrives: tg-club, tg-shop.", "By channel: tg-club 2, tg-shop 8")
    draft = (await only_mailing(shop)).draft
    assert (draft.routing, draft.channels) == (Routing.CASCADE, ("tg-club", "tg-shop"))
    await chat.press("Channels")
    await chat.press("1. tg-club")
    await chat.press("1. tg-shop")
    assert (await only_mailing(shop)).draft.routing is Routing.MAIN


async def also_on_club(desk: Desk, *names: str) -> None:
    at = desk.clock.now()
    async with desk.store.database.writing() as connection:
        ids = list(await connection.scalars(select(clients.c.id).where(clients.c.external_id.in_(names))))
        rows = [
            {"client_id": one, "scope": "tg-club", "external_id": str(one), "channel": "tg-club", "details": {},
             "status": AddressStatus.ENABLED.value, "status_at": at, "created_at": at}
            for one in ids
        ]  # fmt: skip
        await connection.execute(insert(addresses), rows)
        await keep_in_step(connection, ids)
