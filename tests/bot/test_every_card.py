"""Every button, command and answer there is, visited in each language; what is shown on the way fits everywhere."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from engine.clock import FakeClock, SystemClock
from engine.imports import upsert_clients
from engine.operations import Operations
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings
from gateways.base import Account
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from storage.counters import add_counters
from storage.schema import steps
from storage.store import open_store
from tests.bot.conftest import ZONE, Desk
from tests.bot.test_after import finish
from tests.bot.test_messengers import PHOTO, SALE, WA
from tests.bot.test_previews import Told
from tests.bot.test_template_writing import Shop
from tests.bot.test_template_writing import shop as writing  # noqa: F401 - a fixture
from tests.bot.touring import Tour, named_in, not_visited, noting_visits, things_on
from tests.engine.test_channel_start import running

NOT_YET = {
    "press t:list": "needs two messengers with templates, or more templates than a card shows",
    "press m:found": "needs more mailings of one name than a card shows",
}

MESSAGE = """
    @Olha
    /start
    /menu
    h:help
    h
    c:new
    > Hello, {{ client.first_name }}!
    f:word
    > friend
    c:see
    /preview
    c:who
    > Bohdan
    c:m
    c:name
    > Spring sale
    c:edit
    > Hello, {{ client.name }}!
    f:friend
    > And one more
    c:heard add
    b
    b:new link
    > Open
    > https://acme.test
    b:new message
    > Tell me more
    > Tell me
    b:new buy
    > Take it
    > SKU-1
    b:free
    b:new buy
    > Take two
    > SKU-2
    > 19.90 EUR
    b:one 0
    b:ask label
    > Open it
    b:move down
    b:on
    b:cut 0
    > Read - https://acme.test/more
    /buttons
    c:m
    e all
    e:of all 0
    f
    f:of
    f:put start
    f
    f:of
    > Hello
    e
    e:add location
    > 50.45, 30.52
    e:of all 2
    e:up
    e:down
    e:cut
    e:add pictures
    + picture
    e:of all 2
    e:ask text
    > A caption
    e:bare
    e:pics
    + picture
    e:pup 1
    e:pcut 1
    e:see
    /pieces
    v:keep
    > Kept greeting
    /pieces
    v:keep
    v:as
    v
    v:new
    > A short greeting
    v:see
    v:name
    > Greeting
    v:copy
    v:copied
    /saved
    > Kept
    v:use
    /saved Greeting
    v:of
    v:delete?
    v:delete
    c:new
    e:first text
    > Piece by piece
    v:pick
    v:put
    c:m
    c:kinds
    c:only wa
    c:all
    e wa
    e:add text
    > Only here
    e:same
    c:m
    t
    t:use wa #sale\0en
    t:field
    t:back
    > first
    t:field
    t:bare
    t
    t:drop
    t:use wa #sale\0en
    t:field
    > friend
    t:field
    t:bare
    t
    t:use wa #photo\0uk
    + picture
    > spring
    t:skip
    c:leave
    /help
    /language
    h
    lang
    /menu
    m:list
    """

TRIAL = """
    @Olha
    /new
    > Hello!
    l:test
    > wa-shop 380501234567
    o:mine
    o:drop
    > wa-shop 380501234568
    l:test
    /test 1
    /check 1
    o:test
    /accounts
    """

TRIAL_OF_MANY = """
    @Olha
    /new
    > Hello!
    l:test
    o:all
    l:test
    o:to
    /accounts
    o:own
    """

TEMPLATES = """
    @Olha
    /new
    > Hello!
    t
    w
    /templates
    w:one
    w:list
    w:new
    > Spring Sale!
    w:take
    w:of
    w:next
    w:lang
    w:cat
    > Hi {{ client.first_name }}, everything is {{discount}} off!
    w:eg!
    > 30%
    w:field
    w:put
    > everything
    w:ask language
    > en-us
    w:eg
    w:eg=
    w:eg!
    w:ask head
    > Sale
    w:ask footer
    > Acme
    w:ask footer
    w:none
    w:btns
    w:bnew link
    > Open
    > acme.test/s/{{1}}
    > spring
    w:bcut
    w:of
    w:see
    w:go?
    w:go
    w:like
    w:cut?
    w:cut
    """

AUDIENCE = """
    @Olha
    /new For some
    > Hello!
    a
    a:if
    > city
    > Lviv
    a:grp
    a:cut
    a:f
    a:v * * known
    > city is Lviv
    a:mode any
    a:all
    > vip
    a:save
    > Regulars
    a:free
    a:segs
    a:use
    a:segs
    > Regulars
    a:all
    > vip
    a:save
    > Regulars
    a:save!
    a:count
    a:via
    a:via= #tg-shop
    a:via= #wa-shop
    a:via+ cascade
    a:via+ main
    a
    who a
    who a * all
    who a * lost
    > Ann
    /audience
    a:file+
    + file
    a:rows
    a:file
    a:file= known
    a:file+
    + file
    a:file= all
    a:all
    """

OUTCOMES = """
    @Olha
    /new About the first
    > Hello!
    a
    a:if
    a:ml
    a:mo
    a:mo+ * read
    a:if
    a:ml
    > 1
    a:mo+ * not_sent
    > city is Kyiv
    > city is Lviv
    > city is Odesa
    > language is en
    > language is uk
    > last_name is Lee
    > first_name is Ann
    > phone is 1
    a:terms
    a:cut
    a:all
    """

SEGMENTS = """
    @Olha
    /segments
    > Ukrainians
    g:list
    g:new
    > Fresh
    g:if
    > city
    > Lviv
    g:grp
    g:f
    g:v
    g:if
    > city is Lviv
    g:mode any
    g:cut
    g:if
    g:ml
    g:mo
    g:mo+
    g:if
    g:ml
    > 1
    g:mo+ * not_read
    ? ltv of nothing
    g
    who g
    g:of
    g:count
    g:mail
    > Hello to the fresh
    /segments Ukrainians
    g:delete?
    g:delete
    """

LAUNCH = """
    @Ostap
    /new For a few
    > Hello!
    /audience
    > vip
    l
    > tomorrow 10:00
    l:zone
    l:now
    l:when
    > tomorrow 11:00
    l:speed
    l:few
    > 2
    l:few=
    l
    l:check
    o:see
    l:check
    /check
    l:go
    m:open
    m:edit
    /send
    l:now
    /launch
    l:go
    /now
    m:cancel?
    m:cancel
    m:again?
    m:again
    /new And one more
    > Hello!
    /audience
    > vip
    /launch
    l:go
    """

APPROVAL = """
    @Olha
    /check 1
    ap:ask
    @Ostap
    /start
    ap
    ap:open
    ap:no
    ap:no=
    @Olha
    /check 1
    ap:ask
    @Ostap
    /approval
    ap:open
    ap:no
    > Not today
    @Olha
    /check 1
    ap:ask
    ap:back
    /check 1
    ap:ask
    @Ostap
    /approval 1
    ap:look
    ap:yes
    """

STEERING = """
    @Olha
    /now
    now
    m:about
    m:see
    m:open
    m:slower
    m:faster
    m:speeds
    m:speed
    m:stop
    @Ostap
    /now
    m:go
    m:stop
    h
    /go
    h
    stop
    go
    /stop
    /go 1
    @Olha
    /pause 1
    m:resume
    m:pause
    /resume 1
    /slower 1
    /faster 1
    /speed 1 10
    /cancel 1
    m:open
    m:cancel?
    m:cancel
    m:again?
    """

LISTS = """
    @Olha
    /mailings
    > Kept
    m:copy
    /copy 1
    /edit 2
    /delete 2
    m:open
    /mailings 2
    m:delete?
    m:delete
    """

AFTER = """
    @Olha
    /mailings 1
    af
    af:failed
    /resend 1
    /after 1
    af:who
    af:to * sent
    > Sorry, it is tomorrow
    /failed 1
    m:failed+
    m:failed
    /unknown 1
    m:leave
    /report 1
    /mailings 1
    m:about
    m:report
    m:open
    m:away
    m:back
    /archive 1
    /archive
    m:open
    m:back
    /mailings
    m:old
    /correct 1
    af:text
    > Hello again!
    af:fix
    af:link
    > https://acme.test/right
    af:go
    af:stop
    /takeback 1
    af
    af:back?
    af:back
    af:stop
    af
    af:at
    /mailings 1
    m:unknown
    m:repeat
    """

NUMBERS = """
    @Maria
    /stats
    s:of 1
    s:why
    s:of 1
    s:by
    s
    s:of 1
    s:file
    /stats
    s:of 8
    s:with
    s:two
    > yesterday
    s:last
    /stats
    s:since week
    s:before
    s:since
    s:files
    /stats
    s:chan
    s:on
    /stats
    > 1
    /digest
    d:new day
    > 9:30
    d:zone
    > Warsaw
    d:now
    d
    d:new week
    d:hours
    d:at
    d:of
    d:off
    """

CLIENTS = """
    @Ostap
    k
    > e
    k:more
    > Client
    k:of
    k:tags
    > gold
    k:untag
    k:tag
    k:of
    k:why
    > 1
    k:why
    k:why!
    k:of
    k:out
    k:out!
    k:in
    k:in!
    > She asked on the phone
    k:export
    k:of
    k:merge
    > Iryna
    k:merge?
    k:merge!
    /mainchannel Bob
    k:main!
    k:main
    /tag Ann
    /optout Ann
    k:out!
    /optin Ann
    /merge Ann
    /export Ann
    /why 1 Ann
    /clients Max
    k:erase?
    k:erase
    /erase Client5
    """

PEOPLE = """
    @Ostap
    /people
    p
    p:new
    > Petro
    p:role! approver
    p:revoke
    /invite Petro operator
    @Petro
    /join {code}
    @Ostap
    p
    p:of #Petro
    p:again
    p
    p:of #Petro
    p:role
    p:out?
    p:out
    /join
    """

CHANNELS = """
    @Olha
    /channels
    ch
    ch:top
    > 500
    /topup tg-club 5000
    ch:ask
    """


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    channels = {
        **settings.channels,
        "wa-shop": ChannelSettings("wa-shop", WA),
        "sms-shop": ChannelSettings("sms-shop", SMS, 10.0),
    }
    return replace(settings, channels=channels, approval=ApprovalRule(above=8))


@pytest.fixture
async def bazaar(shop: Desk) -> Desk:
    """The shop with four messengers, approvals above eight clients, templates, and some clients there."""
    rows = [
        {"id": "n1", "addresses": {"tg-shop": "2999"}},
        {"id": "w1", "first_name": "Bob", "addresses": {"wa-shop": "380501234567", "sms-shop": "380501234567"}},
    ]
    await upsert_clients(shop.store, rows, channels=shop.settings.channels)
    await shop.store.templates.sync("wa-shop", [SALE, PHOTO], shop.clock.now())
    return shop


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("one", "many")}
    for folder in made.values():
        folder.mkdir()
    return made


@asynccontextmanager
async def at_work(template: Path, folder: Path, *channels: ChannelSettings) -> AsyncIterator[Desk]:
    """A desk on a storage of its own, with a running engine."""
    settings = EngineSettings({channel.id: channel for channel in channels}, folder, timezone=ZONE)
    speakers = {channel.id: Told(channel.able) for channel in channels}
    url = f"sqlite:///{shutil.copy(template, folder / 'carillon.db')}"
    async with open_store(url, data_dir=folder, secret=b"of the tests") as store:
        address = {"wa-shop": "380501234567"} if "wa-shop" in settings.channels else {"tg-0": "2001"}
        rows = [{"id": "a", "first_name": "Ann", "addresses": address}]
        await upsert_clients(store, rows, channels=settings.channels)

        async def ask(channel: str) -> Account:
            return await speakers[channel].check()

        async with running(store, settings, speakers) as engine:
            operations = Operations(store, settings, SystemClock(), check_channel=ask, engine=engine)
            yield Desk(store, operations, settings, FakeClock())


def test_every_press_and_command_is_on_the_tour() -> None:
    """Whoever adds a route is told so at once; the tour itself takes long."""
    scenes = (MESSAGE, AUDIENCE, APPROVAL, STEERING, OUTCOMES, SEGMENTS, LAUNCH, LISTS, AFTER, NUMBERS, CLIENTS, PEOPLE)
    scenes += (CHANNELS, TEMPLATES, TRIAL, TRIAL_OF_MANY)
    left = not_visited(named_in("\n".join(scenes)))
    assert {one for one in left if not one.startswith("answer ")} == set(NOT_YET) | {"press lang:is"}  # by each person


@pytest.mark.parametrize("language", ["en", "ru", "uk"])
async def test_a_tour_visits_every_route(
    bazaar: Desk,
    writing: Shop,  # noqa: F811 - the fixture
    sqlite_template: Path,
    folders: dict[str, Path],
    language: str,
) -> None:
    with noting_visits() as visited:
        tour = Tour(bazaar, language, things_on(bazaar))
        for scene in (MESSAGE, AUDIENCE, APPROVAL, STEERING):
            await tour.go(scene)
        await finish(bazaar)
        step_id = (await bazaar.operations.get(1)).step_id
        async with bazaar.store.database.writing() as connection:
            await add_counters(connection, {(step_id, "wa-shop", "", "", "planned"): 1})
        for scene in (OUTCOMES, SEGMENTS, LAUNCH, LISTS, AFTER):
            await tour.go(scene)
        await begin_the_rest(bazaar)
        for scene in (NUMBERS, CLIENTS, PEOPLE, CHANNELS):
            await tour.go(scene)
        await Tour(writing.desk, language, things_on(writing.desk)).go(TEMPLATES)
        wa, many = ChannelSettings("wa-shop", WA), [ChannelSettings(f"tg-{n}", TELEGRAM) for n in range(11)]
        for name, channels, scene in (("one", [wa], TRIAL), ("many", many, TRIAL_OF_MANY)):
            async with at_work(sqlite_template, folders[name], *channels) as desk:
                await Tour(desk, language).go(scene)
    assert not_visited(visited) == set(NOT_YET)


async def begin_the_rest(desk: Desk) -> None:
    """Every mailing that was launched has begun, so that several can be compared."""
    launched = steps.c.launched_at.is_not(None) & steps.c.started_at.is_(None)
    async with desk.store.database.writing() as connection:
        await connection.execute(update(steps).where(launched).values(started_at=desk.clock.now()))
