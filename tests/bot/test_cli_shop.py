"""The command line at work on a shop: clients, mailings, segments, numbers."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine.explaining import Explanation
from gateways.message import Message, Text
from storage.deliveries import DeliveryRow
from storage.records import Actor, ClientCard, DeliveryState, Draft, Mailing, Status
from tests.bot.commands import CHANNEL, PEOPLE, carillon, refusal


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a configuration, three clients and a mailing file."""
    (tmp_path / "config.toml").write_text(PEOPLE + CHANNEL)
    (tmp_path / "clients.csv").write_text("id,first_name,tags,tg-shop\nc-1,Ann,vip,7001\nc-2,Bob,,7002\nc-3,Eve,vip,\n")
    (tmp_path / "sale.toml").write_text('name = "Sale"\n[message]\ntext = "Hi {{ client.first_name }}"\n')
    done = carillon("clients", "import", "clients.csv", "--json", folder=tmp_path)
    assert json.loads(done.stdout) == {"added": 3, "updated": 0, "rejected": []}
    return tmp_path


def test_clients_are_imported_listed_shown_exported_and_erased(shop: Path) -> None:
    again = carillon("clients", "import", "clients.csv", "--dry-run", folder=shop)
    listed = json.loads(carillon("clients", "list", "--json", folder=shop).stdout)
    shown = carillon("clients", "show", "c-1", folder=shop).stdout
    exported = carillon("clients", "export", "--file", "all.json", folder=shop)
    erased = carillon("clients", "erase", "c-2", "--yes", "--json", folder=shop)

    assert again.stdout == "0 would be added, 3 would be updated, 0 rejected.\n"
    assert [client["external_id"] for client in listed] == ["c-1", "c-2", "c-3"]
    assert "Ann" in shown
    assert "7001" in shown
    assert (exported.returncode, exported.stdout) == (0, "")
    assert len((shop / "all.json").read_text().splitlines()) == 3
    assert json.loads(erased.stdout) == {"id": listed[1]["id"], "erased": True}
    assert refusal(carillon("clients", "show", "c-2", folder=shop), 1) == "There is no client “c-2”.\n"


def test_a_mailing_is_created_shown_previewed_copied_and_deleted(shop: Path) -> None:
    made = json.loads(carillon("mailing", "create", "sale.toml", "--json", folder=shop).stdout)
    number = str(made["id"])
    preview = json.loads(carillon("mailing", "preview", number, "--client", "c-2", "--json", folder=shop).stdout)
    copied = json.loads(carillon("mailing", "copy", number, "--json", folder=shop).stdout)
    deleted = carillon("mailing", "delete", str(copied["id"]), folder=shop)
    figures = json.loads(carillon("mailing", "show", number, "--json", folder=shop).stdout)

    assert made == {"id": made["id"], "status": "draft"}
    assert [part["text"] for part in preview["parts"]] == ["Hi Bob"]
    assert deleted.stdout == f"Mailing {copied['id']} is deleted.\n"
    assert (figures["status"], figures["delivered"], figures["planned"]) == ("draft", None, 0)
    assert refusal(carillon("mailing", "pause", number, folder=shop), 1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('name = "Sale"\nspede = 3\n[message]\ntext = "Hi"\n', "speed"),
        ('name = "Sale"\n[message]\ntext = "Hi {{ client.naem }}"\n', "naem"),
        ('name = "Sale"\nchannels = ["tg-shpo"]\nrouting = "chosen"\n[message]\ntext = "Hi"\n', "tg-shop"),
        ('name = "Sale"\nstart = "2020-01-01T10:00"\n[message]\ntext = "Hi"\n', "2020"),
        ('name = "Sale"\n[message]\npictures = ["none.jpg"]\n', "none.jpg"),
        ('name = "Sale"\nrouting = "cascade"\n[message]\ntext = "Hi"\n', "needs channels"),
        ('name = "Sale', "sale.toml"),
    ],
)
def test_a_wrong_mailing_file_is_told_and_leaves_nothing(source: str, words: str, shop: Path) -> None:
    (shop / "sale.toml").write_text(source)

    said = refusal(carillon("mailing", "create", "sale.toml", "--launch", folder=shop), 1)

    assert words in said
    assert json.loads(carillon("mailing", "list", "--json", folder=shop).stdout) == []


def test_a_mailing_to_nobody_is_not_launched_and_leaves_nothing(shop: Path) -> None:
    sale = shop / "sale.toml"
    sale.write_text(sale.read_text() + '[audience]\nwhere = [{ field = "tag", is = "nobody" }]\n')

    assert "Nobody matches" in refusal(carillon("mailing", "create", "sale.toml", "--launch", folder=shop), 1)
    assert json.loads(carillon("mailing", "list", "--json", folder=shop).stdout) == []


def test_a_segment_is_saved_counted_and_deleted(shop: Path) -> None:
    saved = carillon("segment", "save", "vip", "--tag", "vip", "--json", folder=shop)
    count = json.loads(carillon("segment", "count", "vip", "--json", folder=shop).stdout)
    listed = json.loads(carillon("segment", "list", "--json", folder=shop).stdout)
    deleted = carillon("segment", "delete", "vip", "--yes", folder=shop)

    assert json.loads(saved.stdout) == {"name": "vip", "count": 2}
    assert (count["audience"], count["planned"], count["left_out"]) == (2, 1, {"no_address": 1})
    assert [segment["name"] for segment in listed] == ["vip"]
    assert deleted.stdout == "“vip” is deleted.\n"


def test_the_kill_switch_refuses_a_launch_until_it_is_lifted(shop: Path) -> None:
    number = str(json.loads(carillon("mailing", "create", "sale.toml", "--json", folder=shop).stdout)["id"])
    assert json.loads(carillon("stop", "--json", folder=shop).stdout) == {"stopped": True}

    assert "kill switch" in refusal(carillon("mailing", "launch", number, folder=shop), 1)
    assert carillon("go", folder=shop).returncode == 0
    assert json.loads(carillon("mailing", "launch", number, "--json", folder=shop).stdout)["status"] == "sending"


def test_numbers_are_written_as_picture_sheet_and_table(shop: Path) -> None:
    carillon("mailing", "create", "sale.toml", folder=shop)
    done = carillon("stats", "--png", "a.png", "--csv", "a.csv", "--xlsx", "a.xlsx", "--json", folder=shop)

    assert json.loads(done.stdout)["mailings"][0]["name"] == "Sale"
    assert (shop / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "Sale" in (shop / "a.csv").read_text("utf-8-sig")
    assert (shop / "a.xlsx").read_bytes().startswith(b"PK")


def test_all_mailings_are_told_with_the_columns_that_have_something(shop: Path) -> None:
    carillon("mailing", "create", "sale.toml", folder=shop)
    told = carillon("stats", folder=shop).stdout
    total = json.loads(carillon("stats", "--json", folder=shop).stdout)["total"]

    assert told.split()[:6] == ["id", "name", "status", "planned", "sent", "failed"]
    assert {"delivered", "read", "clicked", "unsubscribed", "orders", "sales"} <= set(total)
    assert total["delivered"] is None


def test_a_backup_is_a_storage_and_writes_over_nothing(shop: Path) -> None:
    first = carillon("db", "backup", "copy.db", folder=shop)
    (shop / "other.toml").write_text('[storage]\nurl = "sqlite:///copy.db"\n' + CHANNEL)

    assert first.returncode == 0
    assert (shop / "copy.db").stat().st_mode & 0o777 == 0o600
    assert len(json.loads(carillon("clients", "list", "--json", "--config", "other.toml", folder=shop).stdout)) == 3
    assert "exists already" in refusal(carillon("db", "backup", "copy.db", folder=shop), 1)


def test_a_channel_without_a_package_is_not_topped_up(shop: Path) -> None:
    assert "has no package" in refusal(carillon("channels", "topup", "tg-shop", "5", folder=shop), 1)


def test_erasing_asks_only_where_somebody_sits(shop: Path) -> None:
    erased = carillon("clients", "erase", "c-1", "--json", folder=shop)

    assert erased.returncode == 0
    assert json.loads(erased.stdout)["erased"] is True
    assert "There is no client" in refusal(carillon("clients", "erase", "c-1", folder=shop), 1)


def test_a_file_that_could_never_be_sent_makes_no_draft(shop: Path) -> None:
    (shop / "long.toml").write_text(f'name = "Long"\n[message]\ntext = "{"x" * 5000}"\n')
    (shop / "segment.toml").write_text('name = "S"\naudience = { segment = "nope" }\nmessage = { text = "Hi" }\n')

    assert "5000 characters" in refusal(carillon("mailing", "create", "long.toml", folder=shop), 1)
    assert "nope" in refusal(carillon("mailing", "create", "segment.toml", folder=shop), 1)
    assert json.loads(carillon("mailing", "list", "--json", folder=shop).stdout) == []


def test_why_tells_of_what_was_sent_skipped_and_still_waits(shop: Path) -> None:
    from bot.why import why_document, why_words

    at = datetime(2026, 11, 1, 9, 30).astimezone()
    card = ClientCard(1, "c-1", "Ann", None, None, None, None, None, (), {}, (), at, None)
    draft = Draft("Sale", Message((Text("Hi"),)))
    mailing = Mailing(
        id=7,
        step_id=7,
        draft=draft,
        status=Status.SENDING,
        reason=None,
        reason_words=None,
        start_at=None,
        created_by=Actor("Olha"),
        created_at=at,
        launched_by=Actor("Olha"),
        launched_at=at,
        started_at=at,
        finished_at=None,
        content_hash=None,
        revision=1,
        planned_all=True,
    )

    def told(state: DeliveryState, reason: str | None, tries: int, finished_at: datetime | None) -> tuple[Any, ...]:
        row = DeliveryRow(9, 1, "Ann", "tg-shop", state, reason, None, None, tries, None, finished_at)
        document = why_document(Explanation(mailing, card, row, reason or state.value))
        return document["tries"], document["reason"], why_words(7, document)

    assert told(DeliveryState.SENT, None, 1, at) == (1, None, "Mailing 7 to c-1: it was sent at 2026-11-01 09:30.")
    assert told(DeliveryState.SKIPPED, "blocked", 0, at) == (0, "blocked", "Mailing 7 to c-1: skipped (blocked).")
    assert told(DeliveryState.PLANNED, None, 0, None) == (0, None, "Mailing 7 to c-1: it is still to be sent.")


def test_why_tells_of_one_who_was_left_out(shop: Path) -> None:
    number = str(json.loads(carillon("mailing", "create", "sale.toml", "--launch", "--json", folder=shop).stdout)["id"])

    document = json.loads(carillon("mailing", "why", number, "--client", "c-3", "--json", folder=shop).stdout)

    assert (document["client"], document["state"], document["tries"]) == ("c-3", None, 0)
    assert document["reason"]


def test_a_preview_names_a_kept_picture_as_a_person_does(shop: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(shop / "sale.png")
    (shop / "sale.toml").write_text('name = "Sale"\n[message]\ntext = "Hi"\npictures = ["sale.png"]\n')
    number = str(json.loads(carillon("mailing", "create", "sale.toml", "--json", folder=shop).stdout)["id"])

    shown = carillon("mailing", "preview", number, folder=shop).stdout

    assert ": a picture" in shown
    assert "media:" not in shown


def test_a_check_counts_one_as_one(shop: Path) -> None:
    found = json.loads(carillon("check", "--json", folder=shop).stdout)

    assert found["checks"][0]["words"].endswith(": 1 channel, 1 person")


def test_all_clients_are_listed_for_a_program_and_a_page_for_a_person(shop: Path) -> None:
    rows = "".join(f"n-{number},{(number % 2 and 'promo_42;ref7') or ''}\n" for number in range(1100))
    (shop / "many.csv").write_text(f"id,subscribed_to\n{rows}")
    carillon("clients", "import", "many.csv", folder=shop)

    everybody = json.loads(carillon("clients", "list", "--json", folder=shop).stdout)
    some = json.loads(carillon("clients", "list", "--limit", "700", "--json", folder=shop).stdout)
    nobody = carillon("clients", "list", "--search", "Zoe", "--json", folder=shop).stdout
    page = carillon("clients", "list", folder=shop).stdout
    shown = json.loads(carillon("clients", "show", "n-1", "--json", folder=shop).stdout)

    assert (len(everybody), len({each["id"] for each in everybody}), len(some)) == (1103, 1103, 700)
    assert nobody == "[]\n"
    assert f"There are more: go on with --after {everybody[49]['id']}, or name a higher --limit.\n" in page
    assert shown["subscribed_to"] == ["promo_42", "ref7"]
    assert "There are more" not in carillon("clients", "list", "--search", "A", folder=shop).stdout


def test_channels_show_what_is_left_of_a_quota(shop: Path) -> None:
    day = CHANNEL + 'quota = { messages = 500, per = "day" }\n'
    package = CHANNEL.replace("tg-shop", "tg-2").replace("2:", "3:")
    package += 'quota = { messages = 40, per = "package" }\n'
    free = CHANNEL.replace("tg-shop", "tg-3").replace("2:", "4:")
    (shop / "config.toml").write_text(day + package + free)
    carillon("channels", "topup", "tg-2", "2", folder=shop)

    channels = json.loads(carillon("channels", "list", "--json", folder=shop).stdout)

    assert [(each["id"], each["left"]) for each in channels] == [("tg-shop", 500), ("tg-2", 42), ("tg-3", None)]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CHANNEL, "Nobody in [[people]] is an owner, so nobody would be told.\n"),
        (PEOPLE, "Nobody got the test alert.\n"),
    ],
)
def test_a_test_alert_that_can_reach_nobody_ends_with_1(config: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(config)

    done = carillon("people", "test-alert", folder=tmp_path)

    assert (done.returncode, done.stderr) == (1, words)


def test_a_message_is_made_one_messengers_alone_and_everybodys_again(shop: Path) -> None:
    (shop / "config.toml").write_text(
        PEOPLE + CHANNEL + '[[channels]]\nid = "paper"\nkind = "log"\npath = "sent.log"\n'
    )
    number = str(json.loads(carillon("mailing", "create", "sale.toml", "--json", folder=shop).stdout)["id"])

    alone = json.loads(carillon("mailing", "for", number, "log", "--json", folder=shop).stdout)
    everybodys = carillon("mailing", "for", number, "all", folder=shop).stdout

    assert alone == {"id": int(number), "for": ["log"], "losses": {"paper": []}, "problems": {}}
    assert everybodys == f"The message of mailing {number} is for every messenger.\n"
    said = refusal(carillon("mailing", "for", number, "viber", folder=shop), 1)
    assert said == "There is no channel of the kind “viber”; there is log, telegram.\n"


def test_an_address_that_can_be_none_rejects_its_row(shop: Path) -> None:
    (shop / "clients.csv").write_text("id,tg-shop\nc-1,7001\nc-2,@bob\n")

    done = json.loads(carillon("clients", "import", "clients.csv", "--json", folder=shop).stdout)

    assert done["rejected"] == [{"row": 3, "reason": "“@bob” is no address on tg-shop (Telegram)"}]


def test_a_cancelled_mailing_is_put_away_and_brought_back(shop: Path) -> None:
    number = str(json.loads(carillon("mailing", "create", "sale.toml", "--launch", "--json", folder=shop).stdout)["id"])
    words = refusal(carillon("mailing", "archive", number, folder=shop), 1)
    assert "“Sale” is sending; only what is finished or cancelled goes to the archive." in words
    carillon("mailing", "cancel", number, folder=shop)

    done = carillon("mailing", "archive", number, "--json", folder=shop)
    assert json.loads(done.stdout) == {"id": int(number), "archived": True}
    assert json.loads(carillon("mailing", "list", "--json", folder=shop).stdout) == []
    (away,) = json.loads(carillon("mailing", "list", "--archived", "--json", folder=shop).stdout)
    assert (away["name"], away["archived"], away["delivered"]) == ("Sale", True, None)
    back = carillon("mailing", "archive", number, "--back", folder=shop)
    assert back.stdout == f"Mailing {number} is in the list again.\n"
    assert "Sale" in carillon("mailing", "list", folder=shop).stdout


def test_a_launch_that_needs_a_second_person_waits_for_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"{PEOPLE}{CHANNEL}[approval]\nabove = 0\n")
    (tmp_path / "clients.csv").write_text("id,tg-shop\nc-1,7001\n")
    (tmp_path / "sale.toml").write_text('name = "Sale"\ncanary = { first = 10 }\n[message]\ntext = "Hello"\n')
    assert carillon("clients", "import", "clients.csv", folder=tmp_path).returncode == 0

    made = carillon("mailing", "create", "sale.toml", "--launch", "--json", folder=tmp_path)
    assert json.loads(made.stdout) == {"id": 1, "status": "draft", "approval": "waiting"}
    again = carillon("mailing", "launch", "1", folder=tmp_path)
    assert again.stdout == "Mailing 1 waits for a second person's approval; it starts by itself with that.\n"
    shown = json.loads(carillon("mailing", "show", "1", "--json", folder=tmp_path).stdout)
    assert shown["canary"] == {"size": 0, "state": None, "until": None}
