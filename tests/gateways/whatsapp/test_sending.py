"""What goes out to WhatsApp: each request exactly as Meta documents it, and what becomes of its answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateways.base import Accepted, MessageRejected, OutcomeUnknown, Outgoing, PartKind, Rejected, Throttled
from gateways.message import Buy, Link, Reply
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import Logs, MemoryMedia, OutCase, check_out, names
from tests.gateways.outgoing import out as part_out
from tests.gateways.pictures import JPEG
from tests.gateways.stub import AnyStub, Got, said
from tests.gateways.stub import Reply as StubReply
from tests.gateways.whatsapp.conftest import (
    ANN,
    ANN_ID,
    PHONE,
    REFERENCE,
    SECRETS,
    WABA,
    accepted,
    got,
    make,
    media_id,
    refused,
    sends,
    uploads,
)

TAKEN = Accepted("wamid.OUT")


def out(*args: Any, address: str = ANN, **more: Any) -> Outgoing:
    return part_out(*args, address=address, **more)


def text(html: str, **more: Any) -> Outgoing:
    return out(PartKind.TEXT, html, **more)


def template(data: tuple[str, ...] = (), **field: Any) -> Outgoing:
    given = {"name": "spring_sale", "language": "en", "parameters": ["Ann", "30%"]} | field
    return out(PartKind.TEMPLATE, "", extra={"template": given}, data=data)


def row(*buttons: Any) -> Any:
    return [buttons]


def interactive(kind: str, body: str, action: Any, **more: Any) -> Got:
    return sends("interactive", {"type": kind, "body": {"text": body}, **more, "action": action})


def reply(button_id: str, title: str) -> Any:
    return {"type": "reply", "reply": {"id": button_id, "title": title}}


YES_NO = [Reply("yes", "Yes"), Reply("no", "No")]
SIZES = [Reply(name, name) for name in ("XS", "S", "M", "L")]
LISTED = {
    "id": "1689556908129832", "name": "spring_sale", "language": "en", "status": "APPROVED", "category": "MARKETING",
    "parameter_format": "POSITIONAL", "components": [
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "BODY", "text": "Hi {{1}}, {{2}} off!"},
        {"type": "BUTTONS", "buttons": [
            {"type": "URL", "text": "Open", "url": "https://acme.test/{{1}}"},
            {"type": "QUICK_REPLY", "text": "Stop promotions"},
            {"type": "COPY_CODE", "text": "Copy"},
        ]},
    ],
}  # fmt: skip
FIELDS = "name,language,status,category,components,parameter_format,rejected_reason"
LOOKUP = got(
    f"{WABA}/message_templates", None, method="GET", query={"fields": FIELDS, "name": "spring_sale", "limit": "100"}
)
PLAIN_TEMPLATE = LISTED | {"components": [{"type": "BODY", "text": "Hi {{1}}, {{2}} off!"}]}


def listed(*entries: Any) -> StubReply:
    return said({"data": list(entries), "paging": {"cursors": {"before": "a", "after": "b"}}})


def body_of(*texts: str) -> Any:
    return {"type": "body", "parameters": [{"type": "text", "text": each} for each in texts]}


def template_request(*components: Any) -> Got:
    return sends("template", {"name": "spring_sale", "language": {"code": "en"}, "components": list(components)})


CASES = [
    OutCase("text", text("<b>Hello</b> Ann"), [accepted()], [sends("text", {"body": "*Hello* Ann"})], TAKEN),
    OutCase("text with a link", text('The <a href="https://acme.test/sale">sale</a> is on'), [accepted()],
            [sends("text", {"body": "The sale (https://acme.test/sale) is on", "preview_url": True})], TAKEN),
    OutCase("text whose link shows no page", text("https://acme.test", extra={"link_preview": False}), [accepted()],
            [sends("text", {"body": "https://acme.test"})], TAKEN),
    OutCase("emoji, right to left and marks of its own", text("😀 שלום 5*3*2 &lt;b&gt;"), [accepted()],
            [sends("text", {"body": "😀 שלום 5*3*2 <b>"})], TAKEN),
    OutCase("a client whose phone is hidden", text("Hi", address=ANN_ID), [accepted()],
            [sends("text", {"body": "Hi"}, ANN_ID)], TAKEN),
    OutCase("picture", out(PartKind.PICTURE, "Spring <i>sale</i>", "media:sale.jpg"), [media_id(147), accepted()],
            [uploads("sale.jpg", "image/jpeg", JPEG), sends("image", {"id": "147", "caption": "Spring _sale_"})],
            TAKEN),
    OutCase("video", out(PartKind.VIDEO, "Tour", "media:clip.mp4"), [media_id(148), accepted()],
            [uploads("clip.mp4", "video/mp4", b"\0\0\0\x18ftypmp42 clip"),
             sends("video", {"id": "148", "caption": "Tour"})], TAKEN),
    OutCase("file with the name that clients see", out(PartKind.FILE, "", "media:p.pdf", name="Prices.pdf"),
            [media_id(149), accepted()],
            [uploads("Prices.pdf", "application/pdf", b"%PDF-1.7 prices"),
             sends("document", {"id": "149", "filename": "Prices.pdf"})], TAKEN),
    OutCase("location", out(PartKind.LOCATION, latitude=51.5007, longitude=-0.1246), [accepted()],
            [sends("location", {"latitude": "51.5007", "longitude": "-0.1246"})], TAKEN),
    OutCase("reply buttons", text("Keep your seat?", buttons=row(*YES_NO), data=["c7.0", "c7.1"]), [accepted()],
            [interactive("button", "Keep your seat?", {"buttons": [reply("c7.0", "Yes"), reply("c7.1", "No")]})],
            TAKEN),
    OutCase("an order's button", text("Tea", buttons=row(Buy("SKU-1", "Buy", "5 EUR")), data=["c7.0"]), [accepted()],
            [interactive("button", "Tea", {"buttons": [reply("c7.0", "Buy")]})], TAKEN),
    OutCase("equal labels get numbers", text("?", buttons=row(Reply("1", "More"), Reply("2", "More"), Reply("3", "No")),
                                             data=["a", "b", "c"]), [accepted()],
            [interactive("button", "?", {"buttons": [reply("a", "More"), reply("b", "More 2"), reply("c", "No")]})],
            TAKEN),
    OutCase("four buttons are a list", text("Pick one", buttons=[[each] for each in SIZES], data=["a", "b", "c", "d"],
                                            extra={"list_button": "Show sizes"}), [accepted()],
            [interactive("list", "Pick one", {"button": "Show sizes", "sections": [{"rows": [
                {"id": "a", "title": "XS"}, {"id": "b", "title": "S"}, {"id": "c", "title": "M"},
                {"id": "d", "title": "L"}]}]})], TAKEN),
    OutCase("one link", text("The <b>sale</b> is on", buttons=row(Link("https://m.acme.test/l/abc", "Open")),
                             data=[""]), [accepted()],
            [interactive("cta_url", "The *sale* is on", {"name": "cta_url", "parameters": {
                "display_text": "Open", "url": "https://m.acme.test/l/abc"}})], TAKEN),
    OutCase("buttons under a picture", out(PartKind.PICTURE, "Seat?", "media:sale.jpg", buttons=row(*YES_NO),
                                           data=["a", "b"]), [media_id(147), accepted()],
            [uploads("sale.jpg", "image/jpeg", JPEG),
             interactive("button", "Seat?", {"buttons": [reply("a", "Yes"), reply("b", "No")]},
                         header={"type": "image", "image": {"id": "147"}})], TAKEN),
    OutCase("a link under a picture without words", out(PartKind.PICTURE, "", "media:sale.jpg", data=[""],
                                                        buttons=row(Link("https://a.test/", "Open"))),
            [media_id(147), accepted()],
            [uploads("sale.jpg", "image/jpeg", JPEG),
             interactive("cta_url", "⬇️", {"name": "cta_url", "parameters": {"display_text": "Open",
                         "url": "https://a.test/"}}, header={"type": "image", "image": {"id": "147"}})], TAKEN),
    OutCase("template", template(), [listed(PLAIN_TEMPLATE), accepted(message_status="accepted")],
            [LOOKUP, template_request(body_of("Ann", "30%"))], TAKEN),
    OutCase("template with a picture, a link, a quick reply and a code",
            template(header="media:sale.jpg", buttons=["abc?m=7", {"message": "Stop"}, "SALE30"], data=("c7.0",)),
            [listed(LISTED), media_id(147), accepted(message_status="held_for_quality_assessment")],
            [LOOKUP, uploads("sale.jpg", "image/jpeg", JPEG), template_request(
                {"type": "header", "parameters": [{"type": "image", "image": {"id": "147"}}]}, body_of("Ann", "30%"),
                {"type": "button", "sub_type": "url", "index": "0",
                 "parameters": [{"type": "text", "text": "abc?m=7"}]},
                {"type": "button", "sub_type": "quick_reply", "index": "1",
                 "parameters": [{"type": "payload", "payload": "c7.0"}]},
                {"type": "button", "sub_type": "copy_code", "index": "2",
                 "parameters": [{"type": "coupon_code", "coupon_code": "SALE30"}]})],
            Accepted("wamid.OUT", details={"status": "held_for_quality_assessment"})),
    OutCase("template with named values, of which Meta says nothing now", template(parameters={"first_name": "Ann"}),
            [refused(80007, status=429), accepted()],
            [LOOKUP, template_request({"type": "body", "parameters": [
                {"type": "text", "text": "Ann", "parameter_name": "first_name"}]})], TAKEN),
    OutCase("template without values", template(parameters=[]), [listed(), accepted()],
            [LOOKUP, sends("template", {"name": "spring_sale", "language": {"code": "en"}})], TAKEN),
    OutCase("template with a value that is empty for this client", template(parameters=["", "30%"]),
            [listed(PLAIN_TEMPLATE)], [LOOKUP], Rejected(reason="empty")),
    OutCase("a template's field that is none", template(language=""), [], [], Rejected(reason="template")),
    OutCase("a number that Meta writes in another way", text("Oi"), [accepted(wa_id="447700900999")],
            [sends("text", {"body": "Oi"})], Accepted("wamid.OUT", new_address="447700900999")),
    OutCase("an answer without an id", text("Hi"), [said({"messaging_product": "whatsapp"})],
            [sends("text", {"body": "Hi"})], Accepted("")),
    OutCase("a link beside a reply", text("?", buttons=row(Link("https://a.test", "Open"), *YES_NO),
                                          data=["", "a", "b"]), [], [], MessageRejected(reason="buttons")),
    OutCase("eleven buttons", text("?", buttons=row(*[Reply(str(n), str(n)) for n in range(11)]), data=["x"] * 11), [],
            [], MessageRejected(reason="buttons")),
    OutCase("a list under a picture", out(PartKind.PICTURE, "?", "media:sale.jpg", buttons=row(*SIZES)), [media_id(1)],
            [uploads("sale.jpg", "image/jpeg", JPEG)], MessageRejected(reason="buttons")),
    OutCase("buttons under a place", out(PartKind.LOCATION, latitude=1, longitude=2, buttons=row(*YES_NO)), [], [],
            MessageRejected(reason="buttons")),
    OutCase("an album", out(PartKind.ALBUM, "", "media:sale.jpg", "media:new.png"), [], [], MessageRejected()),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_a_part_goes_out(case: OutCase, gateway: WhatsAppGateway, stub: AnyStub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, SECRETS)


async def test_our_reference_goes_along(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [accepted()]
    await gateway.send([text("Hi")])
    assert stub.sent[0].values["biz_opaque_callback_data"] == REFERENCE


async def test_several_parts_have_an_outcome_each(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [accepted("wamid.1"), refused(131047), accepted("wamid.3")]
    outcomes = await gateway.send([text("a"), text("b"), text("c")])
    assert [type(outcome).__name__ for outcome in outcomes] == ["Accepted", "OutsideWindow", "Accepted"]


async def test_a_template_is_looked_up_once_an_hour(gateway: WhatsAppGateway, stub: AnyStub, clock: Any) -> None:
    part = template().part
    assert await gateway.needs_upload(part)
    stub.replies = [listed(PLAIN_TEMPLATE), accepted(), accepted()]
    await gateway.send([template(), template()])
    assert not await gateway.needs_upload(part)
    assert [request.method for request in stub.sent] == ["GET", "POST", "POST"]
    clock.seconds += 3601
    assert await gateway.needs_upload(part)


async def test_where_meta_does_not_answer_a_template_is_looked_up_again_after_a_minute(
    gateway: WhatsAppGateway, stub: AnyStub, clock: Any
) -> None:
    stub.replies = [refused(2, status=503), accepted(), listed(PLAIN_TEMPLATE), accepted()]
    await gateway.send([template()])
    clock.seconds += 61
    await gateway.send([template()])
    assert [request.method for request in stub.sent] == ["GET", "POST", "GET", "POST"]


async def test_synced_templates_need_no_lookup(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [listed(PLAIN_TEMPLATE), accepted()]
    await gateway.templates()
    assert not await gateway.needs_upload(template().part)
    await gateway.send([template()])
    assert len(stub.sent) == 2


async def test_a_template_that_waits_for_its_picture_goes_alone(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    part = template(header="media:sale.jpg").part
    stub.replies = [listed(LISTED), media_id(1), accepted()]
    await gateway.templates()
    assert await gateway.needs_upload(part)
    await gateway.send([template(header="media:sale.jpg")])
    assert not await gateway.needs_upload(part)


async def test_too_many_messages_to_one_client_are_a_wait_for_that_client_only(
    gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    # 4^n seconds; developers.facebook.com …/whatsapp/throughput#pair-rate-limits
    stub.replies = [refused(131056)] * 3 + [accepted(), refused(131056), refused(131056)]
    sent = [text("Hi")] * 5 + [text("Hi", address="447700900456")]
    outcomes = await gateway.send(sent)
    waits = [outcome.retry_after_s if isinstance(outcome, Throttled) else 0.0 for outcome in outcomes]
    assert waits == [1.0, 4.0, 16.0, 0.0, 1.0, 1.0]
    assert all(outcome.only_this for outcome in outcomes if isinstance(outcome, Throttled))


async def test_too_many_messages_of_the_number_slow_the_whole_channel(
    gateway: WhatsAppGateway, stub: AnyStub, clock: Any
) -> None:
    stub.replies = [refused(130429), refused(130429, status=429), refused(130429), accepted(), refused(130429)]
    waits = []
    for _ in range(5):
        (outcome,) = await gateway.send([text("Hi")])
        waits.append(outcome.retry_after_s if isinstance(outcome, Throttled) else 0.0)
        assert not (isinstance(outcome, Throttled) and outcome.only_this)
        clock.seconds += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 0.0, 1.0]


async def test_a_call_limit_waits_for_as_long_as_the_headers_say(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    # developers.facebook.com/docs/graph-api/overview/rate-limiting: minutes, by WABA
    usage = {WABA: [{"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": 7}]}
    header = {"X-Business-Use-Case-Usage": json.dumps(usage)}
    stub.replies = [replace(refused(80007), headers={"Content-Type": "application/json", **header}), refused(4)]
    outcomes = await gateway.send([text("a"), text("b")])
    assert [outcome.retry_after_s for outcome in outcomes if isinstance(outcome, Throttled)] == [420.0, 60.0]


async def test_a_silent_platform_leaves_the_outcome_open(stub: AnyStub, media: MemoryMedia, logs: Logs) -> None:
    gateway = make(f"{stub.url}/v26.0", media, call_s=0.2)
    await gateway.open()
    try:
        stub.replies = [replace(accepted(), delay_s=0.3), replace(accepted(), hang_up=True)]
        outcomes = await gateway.send([text("Hi there"), text("Hi there")])
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]
    finally:
        await gateway.close()
    logs.require_none_of([*SECRETS, ANN, "Hi there"])


async def test_nobody_there_is_surely_not_taken(media: MemoryMedia) -> None:
    gateway = make("http://127.0.0.1:9/v26.0", media)
    await gateway.open()
    try:
        (outcome,) = await gateway.send([text("Hi")])
        assert type(outcome).__name__ == "Unavailable"
    finally:
        await gateway.close()


async def test_a_fault_of_ours_ends_no_lane(gateway: WhatsAppGateway, logs: Logs) -> None:
    (outcome,) = await gateway.send([replace(text("Hi there"), reference=None)])  # type: ignore[arg-type]
    assert isinstance(outcome, OutcomeUnknown)
    logs.require_none_of([ANN, "Hi there"])


def test_the_path_names_our_number() -> None:
    assert sends("text", {}).path == f"/v26.0/{PHONE}/messages"
