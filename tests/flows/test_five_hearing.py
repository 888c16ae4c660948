"""What clients and forgers bring to the hooks: one person on two messengers, STOP, siblings' events, forgeries."""

import hashlib
import hmac
import json
import secrets
from pathlib import Path

import pytest
from sqlalchemy import func, select

from engine.binding import StartPayloads
from gateways.base import AddressStatus
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.hooks import Hook
from gateways.simulator.meta import APP_SECRET
from storage.schema import addresses, clients, receipts
from tests.flows.carillon import until
from tests.flows.five import (
    VERIFY_TOKEN,
    VIBER_TOKEN,
    WITHOUT_TELEGRAM,
    Five,
    address_of,
    channel_of,
    five,
    signed_by_meta,
)

pytestmark = pytest.mark.timeout(240)
STORAGE = "sqlite:///data/carillon.db"
CLUB_PAGE, CLUB_TOKEN = "1002", "EAAsimulated-token-of-the-club"


async def test_one_person_on_two_messengers_gets_one_message_and_stop_is_confirmed_once(tmp_path: Path) -> None:
    async with five(tmp_path, STORAGE, kinds=("viber", "facebook", "whatsapp"), rate=50.0) as made:
        viber, facebook, whatsapp = made.platforms["viber"], made.platforms["facebook"], made.platforms["whatsapp"]
        assert isinstance(facebook, FacebookSimulator)
        for kind in made.platforms:  # everything is told twice
            made.accounts[kind].hook = Hook(f"{made.running.url}/hooks/{kind}", duplicates=1)
        await made.import_clients(3, ("viber",))
        await made.import_clients(1, ("whatsapp",), first=9)
        await made.running.start(only="web,engine")
        bound = await one_client(made, "viber", 1)
        link = StartPayloads(made.running.desk.secret).make(bound)
        # A link of the client's own, opened on another messenger, ties that address to the card.
        facebook.opens(facebook.add_client(made.accounts["facebook"].key, address_of("facebook", 1)), link)
        await facebook.hooks.settled()
        assert await one_client(made, "facebook", 1) == bound
        assert await count(made, clients.c.id) == 4
        # A forged one is nobody's: it makes a client of its own.
        forged = link[:-1] + ("A" if link[-1] != "A" else "B")
        facebook.opens(facebook.add_client(made.accounts["facebook"].key, address_of("facebook", 2)), forged)
        await facebook.hooks.settled()
        assert await one_client(made, "facebook", 2) != bound
        # STOP, told twice by the platform and said twice by the client.
        for platform, phone in ((viber, made.phone("viber", 2)), (whatsapp, made.phone("whatsapp", 9))):
            for _ in range(2):
                platform.says(phone, "Stop")
            await platform.hooks.settled()
            await phone.receives()
        assert await status_of(made, "viber", 2) == await status_of(made, "whatsapp", 9) == AddressStatus.UNSUBSCRIBED
        mailing = await made.running.create()
        figures = await made.running.until_status(mailing, "sent")
        assert figures["left_out"] == {"unsubscribed": 2}
        assert figures["planned"] == 3
        assert made.accepted("viber") == {
            address_of("viber", 1): 1,
            address_of("viber", 2): 1,
            address_of("viber", 3): 1,
        }
        assert made.accepted("whatsapp") == {address_of("whatsapp", 9): 1}  # the confirmation, and no more
        assert made.accepted("facebook") == {address_of("facebook", 2): 1}
        made.assert_no_secrets()


async def test_hooks_answer_as_promised_and_hand_over_what_is_a_siblings(tmp_path: Path) -> None:
    club = f"""
[[channels]]
id = "club"
kind = "facebook"
page_id = "{CLUB_PAGE}"
token = "{CLUB_TOKEN}"
app_secret = "{APP_SECRET}"
verify_token = "{VERIFY_TOKEN}"
api_base = "%s"
"""
    async with five(tmp_path, STORAGE, kinds=WITHOUT_TELEGRAM) as made:
        facebook = made.platforms["facebook"]
        facebook.add_account(CLUB_PAGE, name="Club", everyone="active", details={"token": CLUB_TOKEN})
        config = made.running.config
        config.write_text(config.read_text() + club % f"{facebook.url}/v26.0")
        await made.import_clients(1, WITHOUT_TELEGRAM)
        await made.running.start(only="web,engine")
        before = await everything(made)
        await assert_refused(made)
        assert await everything(made) == before
        # Both pages' events come to one URL, be it the other's, also in one body.
        said = [said_to(page, address_of("facebook", 50)) for page in (CLUB_PAGE, made.accounts["facebook"].key)]
        for channel, entries in (("facebook", said[:1]), ("club", said[1:]), ("facebook", said)):
            assert await made.post(channel, *signed_by_meta({"object": "page", "entry": entries})) == (200, "")
        assert (await one_client(made, "club", 50), await one_client(made, "facebook", 50)) > (0, 0)
        # The platform's own way: it has one address for all its pages.
        facebook.says(facebook.client(CLUB_PAGE, address_of("facebook", 51)), "Hello")
        await until(lambda: knows(made, "club", 51), 5, "the club's client to be known")
        made.assert_no_secrets()


async def assert_refused(made: Five) -> None:
    """Forged, oversized, unreadable, unknown: nothing of it may change anything."""
    event = {"object": "page", "entry": [said_to(made.accounts["facebook"].key, "1234567")]}
    good, headers = signed_by_meta(event)
    forged = {
        "viber": json.dumps({"event": "subscribed", "user": {"id": "forged=="}, "timestamp": 1}).encode(),
        "facebook": good,
        "whatsapp": good,
        "sms": b"From=%2B447700000001&Body=STOP&MessageSid=SM1",
        "vk": json.dumps({"type": "message_deny", "group_id": 190000017, "object": {"user_id": 500001}}).encode(),
    }
    for kind, body in forged.items():
        assert (await made.post(kind, body))[0] == 403, kind
        wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Viber-Content-Signature": "0" * 64}
        assert (await made.post(kind, body, {**wrong, "X-Twilio-Signature": "AAAA"}))[0] == 403, kind
        assert (await made.post(kind, b" " * (4 * 1024 * 1024 + 1)))[0] == 413, kind
    assert (await made.post("facebook", good + b" ", headers))[0] == 403  # changed by one byte
    assert (await made.post("facebook", *signed_by_meta(event, "of-another-app")))[0] == 403
    for unreadable in (good[:-9], b"\xff\xfe\x00{", b"[]", b"", b'{"object": 7}', b"[" * 100_000):
        for channel in ("facebook", "whatsapp"):
            assert (await made.post(channel, *signed_by_meta(unreadable)))[0] == 400, (channel, unreadable[:20])
        signature = hmac.new(VIBER_TOKEN.encode(), unreadable, hashlib.sha256).hexdigest()
        assert (await made.post("viber", unreadable, {"X-Viber-Content-Signature": signature}))[0] == 400
    assert (await made.post("vk", b"\xff\xfe"))[0] == 400
    of_nobody: dict[str, object] = {"object": "page", "entry": []}
    unknown = {"object": "page", "entry": [{"id": "1001", "changes": [{"field": "new_thing", "value": 2**70}]}]}
    for unused in (of_nobody, unknown, {"object": "instagram", "entry": [{"id": "1001"}]}):
        assert await made.post("facebook", *signed_by_meta(unused)) == (200, "")
    assert (await made.post("nobody", good, headers))[0] == 404
    query = f"facebook?hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=77"
    assert await made.post(query, b"", method="GET") == (200, "77")
    assert (await made.post(query.replace(VERIFY_TOKEN, "guessed"), b"", method="GET"))[0] == 403


def said_to(page: str, client: str) -> dict[str, object]:
    message = {"mid": f"m_{secrets.token_hex(8)}", "text": "Hello"}
    event = {"sender": {"id": client}, "recipient": {"id": page}, "timestamp": 1_798_761_600_000, "message": message}
    return {"id": page, "time": 1_798_761_600_000, "messaging": [event]}


async def count(made: Five, column: object) -> int:
    async with made.running.desk.store.database.read() as connection:
        return int(await connection.scalar(select(func.count(column))))  # type: ignore[arg-type]


async def everything(made: Five) -> tuple[int, ...]:
    return tuple([await count(made, column) for column in (clients.c.id, addresses.c.id, receipts.c.id)])


async def one_client(made: Five, kind: str, number: int) -> int:
    """Whose the address is; 0 for nobody."""
    its = address_of("facebook" if kind == "club" else kind, number)
    query = select(addresses.c.client_id).where(addresses.c.channel == channel_of(kind), addresses.c.external_id == its)
    async with made.running.desk.store.database.read() as connection:
        return int(await connection.scalar(query) or 0)


async def knows(made: Five, kind: str, number: int) -> bool:
    return await one_client(made, kind, number) > 0


async def status_of(made: Five, kind: str, number: int) -> str:
    query = select(addresses.c.status).where(
        addresses.c.channel == channel_of(kind), addresses.c.external_id == address_of(kind, number)
    )
    async with made.running.desk.store.database.read() as connection:
        return str(await connection.scalar(query))
