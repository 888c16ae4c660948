"""What a person at the command line gets wrong: a sentence, the exit code, and nothing half done."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.bot.commands import CHANNEL, carillon, refusal

GOOD = 'name = "Sale"\n[message]\ntext = "Hello"\n'
PAST = (datetime.now() - timedelta(days=1)).isoformat(timespec="minutes")  # noqa: DTZ005  # a local date, as in a file


def shop_in(folder: Path) -> Path:
    """A configuration and one client."""
    (folder / "config.toml").write_text(CHANNEL)
    (folder / "one.csv").write_text("id,first_name,tg-shop\nc1,Ann,5001\n")
    assert carillon("clients", "import", "one.csv", folder=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, because what is refused leaves nothing."""
    return shop_in(tmp_path_factory.mktemp("shop"))


MAILINGS: list[tuple[str, str, str]] = [
    ("no TOML", "name = ", "sale.toml can't be read: Invalid value"),
    ("an unknown field", f"spede = 5\n{GOOD}", "no field “spede”; did you mean “speed”?"),
    ("an unknown channel", f'routing = "chosen"\nchannels = ["tg-shp"]\n{GOOD}', "did you mean “tg-shop”?"),
    ("a broken template", GOOD.replace("Hello", "{{ client.first_name"), "The expressions in the text can't be read"),
    ("an unknown name", GOOD.replace("Hello", "{{ client.frst_name }}"), "did you mean “first_name”"),
    ("a loop", GOOD.replace("Hello", "{% for x in client.tags %}x{% endfor %}"), "{% for"),
    ("a date in the past", f'start = "{PAST}"\n{GOOD}', "is past already"),
    (
        "nobody to send to",
        f'{GOOD}[audience]\nwhere = [{{ field = "tag", is = "nobody" }}]\n',
        "Nobody matches this audience.",
    ),
    ("an unknown condition", f'{GOOD}[audience]\nwhere = [{{ field = "tga", is = "vip" }}]\n', "tga"),
    ("a text that is too long", GOOD.replace("Hello", "x" * 5000), "takes 5000 characters; Telegram carries 4096"),
    ("a picture that can't be read", f'{GOOD}pictures = ["broken.jpg"]\n', "The picture broken.jpg can't be read"),
    ("a picture that is not there", f'{GOOD}pictures = ["none.jpg"]\n', "There is no file none.jpg"),
    ("a speed that can't be", f"speed = 300\n{GOOD}", "from 1 to 25"),
]


@pytest.mark.parametrize(("source", "words"), [case[1:] for case in MAILINGS], ids=[case[0] for case in MAILINGS])
def test_a_mailing_that_can_not_be_leaves_nothing(shop: Path, source: str, words: str) -> None:
    (shop / "sale.toml").write_text(source)
    (shop / "broken.jpg").write_bytes(b"no picture")

    said = refusal(carillon("mailing", "create", "sale.toml", "--launch", folder=shop), 1)

    assert words in said
    assert carillon("mailing", "list", "--json", folder=shop).stdout == "[]\n"


FILES: list[tuple[str, bytes, str]] = [
    ("a wrong encoding", "id,name\nc2,Аня\n".encode("cp1251"), "is not written in UTF-8"),
    ("a duplicate column", b"id,tg-shop,id\nc2,1,2\n", "The column “id” stands twice"),
    ("a missing column", b"name,city\nAnn,Kyiv\n", "The file needs a column by which clients are known"),
    ("nothing", b"", "is empty"),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_file_of_clients_that_can_not_be_read_adds_nobody(shop: Path, content: bytes, words: str) -> None:
    (shop / "bad.csv").write_bytes(content)

    assert words in refusal(carillon("clients", "import", "bad.csv", folder=shop), 1)
    there = json.loads(carillon("clients", "list", "--json", folder=shop).stdout)
    assert [client["first_name"] for client in there] == ["Ann"]


def test_a_broken_row_is_named_and_stops_nothing(tmp_path: Path) -> None:
    shop = shop_in(tmp_path)
    (shop / "rows.csv").write_text("id,email,tg-shop\nc2,ann@acme.test,5002\nc3,no mail,5003\nc4,,5004\n")

    done = carillon("clients", "import", "rows.csv", "--json", folder=shop)

    assert done.returncode == 0
    rejected = [{"row": 3, "reason": "email “no mail” is no e-mail address"}]
    assert json.loads(done.stdout) == {"added": 2, "updated": 0, "rejected": rejected}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mailing", "show", "99"], "There is no mailing 99."),
        (["mailing", "pause", "99"], "There is no mailing 99."),
        (["mailing", "why", "1", "--client", "nobody"], "There is no mailing 1."),
        (["clients", "show", "nobody"], "There is no client “nobody”."),
        (["channels", "topup", "tg-shop", "5"], "tg-shop has no package"),
        (["channels", "topup", "tg-shp", "5"], "There is no channel “tg-shp”; there is tg-shop."),
        (["segment", "show", "none"], "There is no segment “none”."),
    ],
)
def test_what_is_not_there_is_told_with_1(shop: Path, arguments: list[str], words: str) -> None:
    assert words in refusal(carillon(*arguments, folder=shop), 1)


def test_a_storage_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://carillon:hush@127.0.0.1:9/carillon"
    (tmp_path / "config.toml").write_text(f'{CHANNEL}[storage]\nurl = "{url}"\n')

    said = refusal(carillon("mailing", "list", folder=tmp_path), 1)

    assert said.startswith("The storage does not answer")
    assert "hush" not in said


def test_a_file_that_is_no_storage_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database, but long enough to look like something else" * 20)
    (tmp_path / "config.toml").write_text(f'{CHANNEL}[storage]\nurl = "sqlite:///notes.db"\n')

    said = refusal(carillon("mailing", "list", folder=tmp_path), 1)

    assert "not a database" in said
    assert (tmp_path / "notes.db").read_text().startswith("no database")
