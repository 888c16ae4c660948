"""The command line as a person and a script meet it: real processes, exit codes, and what stands where."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bot.cli.context import Wrong
from bot.cli.main import take_options
from engine.explaining import Explanation
from gateways.message import Message, Text
from storage.deliveries import DeliveryRow
from storage.records import Actor, ClientCard, DeliveryState, Draft, Mailing, Status

CARILLON = Path(sys.executable).parent / "carillon"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON")}
OLHA = {"name": "Olha", "role": "owner", "telegram": "1001", "slack": None, "by": "config", "until": None}
PEOPLE = '[[people]]\nname = "Olha"\nrole = "owner"\ntelegram = 1001\n'
CHANNEL = '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "2:SHOP"\napi_base = "http://127.0.0.1:9"\n'


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def process(*arguments: str, folder: Path) -> Done:
    """The command in a process of its own."""
    done = subprocess.run(
        [CARILLON, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def carillon(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None, answers: str = "") -> Done:
    """The command in this process, which spares the imports."""
    from bot.cli.main import run

    out, err = StringIO(), StringIO()
    with (
        patch.dict(os.environ, {**ENVIRONMENT, **(environment or {})}, clear=True),
        patch.object(sys, "stdin", StringIO(answers)),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def refusal(done: Done, code: int) -> str:
    """What was said on stderr: one or two plain lines, and nothing on stdout."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 2
    return done.stderr


def test_help_lists_every_command_in_under_a_second(tmp_path: Path) -> None:
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        done = process("--help", folder=tmp_path)
        took_s.append(time.perf_counter() - began)

    assert done.returncode == 0
    for command in (*ALONE, *GROUPS):
        assert f"  {command} " in done.stdout
    assert min(took_s) < 1.0


def test_nothing_heavy_is_imported_for_help(tmp_path: Path) -> None:
    watched = ("aiogram", "aiohttp", "sqlalchemy", "matplotlib", "pydantic", "rich", "jinja2", "uvloop")
    code = f"import sys, bot.cli.main; print([name for name in {watched!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


ALONE = ("demo", "run", "check", "init", "sandbox", "stats", "stop", "go")
GROUPS = {
    "mailing": (
        *("create", "list", "show", "launch", "pause", "resume", "cancel", "copy", "delete"),
        *("preview", "failed", "why", "unknown", "watch"),
    ),
    "clients": ("import", "list", "show", "erase", "export"),
    "segment": ("list", "show", "count", "save", "delete"),
    "channels": ("list", "topup"),
    "people": ("list", "invite", "remove", "test-alert"),
    "db": ("upgrade", "backup"),
}
COMMANDS = [[name] for name in ALONE] + [[group, name] for group, names in GROUPS.items() for name in names]


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    from bot.cli.main import run

    for command in COMMANDS:
        assert run([*command, "--help"]) == 0
        said = capsys.readouterr().out
        assert f"Example: `carillon {' '.join(command)}" in said or "Example: `carillon --config" in said, command


@pytest.mark.parametrize(
    ("arguments", "config", "json_", "rest"),
    [
        (["mailing", "show", "7"], "config.toml", False, ["mailing", "show", "7"]),
        (["--json", "mailing", "show", "7"], "config.toml", True, ["mailing", "show", "7"]),
        (["mailing", "show", "7", "--json"], "config.toml", True, ["mailing", "show", "7"]),
        (["mailing", "--config", "a.toml", "show", "7"], "a.toml", False, ["mailing", "show", "7"]),
        (["mailing", "show", "7", "--config=a.toml"], "a.toml", False, ["mailing", "show", "7"]),
        (["mailing", "create", "--", "--json"], "config.toml", False, ["mailing", "create", "--", "--json"]),
    ],
)
def test_config_and_json_stand_anywhere(arguments: Sequence[str], config: str, json_: bool, rest: list[str]) -> None:
    options, left = take_options(arguments, None)

    assert (options.config, options.json, left) == (config, json_, rest)


def test_the_environment_names_the_configuration_unless_an_option_does() -> None:
    assert take_options([], "b.toml")[0].config == "b.toml"
    assert take_options(["--config", "a.toml"], "b.toml")[0].config == "a.toml"
    with pytest.raises(Wrong, match="--config needs the name of a file"):
        take_options(["check", "--config"], None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], "No such command 'fly'.\nSee `carillon --help`.\n"),
        (["mailing", "shwo", "7"], "No such command 'shwo'. Did you mean 'show'?\nSee `carillon mailing --help`.\n"),
        (["mailing", "show"], "Missing argument 'ID'.\nSee `carillon mailing show --help`.\n"),
        (
            ["mailing", "show", "x"],
            "Invalid value for 'ID': Input should be a valid integer",
        ),
        (["mailing", "list", "--lmit", "3"], "No such option: --lmit"),
        (["run", "--only", "web,motor"], "--only knows web, engine, bot; “motor” is none of them.\n"),
        (["people", "invite", "Petro", "--role", "boss"], "There is no role “boss”: it is one of owner, operator"),
        (["mailing", "create", "none.toml"], "There is no file none.toml.\n"),
        (["stats", "--since", "soon"], "--since soon is no date; write one as 2026-11-01.\n"),
        (["--config"], "--config needs the name of a file"),
    ],
)
def test_wrong_usage_is_told_in_plain_words_with_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    assert refusal(carillon(*arguments, folder=tmp_path), 2).startswith(words)


@pytest.mark.parametrize(("arguments", "code"), [(["people", "list"], 2), (["fly"], 2), (["--help"], 0), ([], 2)])
def test_a_process_ends_with_the_code(arguments: list[str], code: int, tmp_path: Path) -> None:
    assert process(*arguments, folder=tmp_path).returncode == code


@pytest.mark.parametrize("group", [[], *([name] for name in GROUPS)])
def test_a_group_alone_shows_what_it_has(group: list[str], tmp_path: Path) -> None:
    done = carillon(*group, folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "\nCommands:\n" in done.stderr


@pytest.mark.parametrize("command", [["check"], ["run"], ["mailing", "list"], ["people", "list"], ["db", "upgrade"]])
def test_a_missing_configuration_is_told_with_2(command: list[str], tmp_path: Path) -> None:
    words = refusal(carillon(*command, folder=tmp_path), 2)

    assert words == "There is no config.toml.\nWrite one with `carillon init`, or name another with --config FILE.\n"


def test_a_wrong_configuration_is_told_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[web]\nprot = 80\n")

    words = refusal(carillon("mailing", "list", folder=tmp_path), 2)

    assert words == "config.toml, line 2: there is no key “prot” in [web]; did you mean “port”?\n"


def test_a_missing_variable_is_told_with_key_and_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CHANNEL.replace("2:SHOP", "${TG_TOKEN}"))

    words = refusal(carillon("mailing", "list", folder=tmp_path), 2)

    assert "“token”" in words
    assert "TG_TOKEN" in words


def test_people_are_listed_as_a_table_or_as_one_json_document(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(PEOPLE)

    shown = carillon("people", "list", folder=tmp_path, environment={"CARILLON_CONFIG": "other.toml"})
    documented = carillon("people", "list", "--json", "--config", "other.toml", folder=tmp_path)

    assert "Olha" in shown.stdout
    assert json.loads(documented.stdout) == [OLHA]


def test_somebody_is_invited_listed_and_removed(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(PEOPLE + '[[bots]]\nkind = "console"\n')

    refused = carillon("people", "invite", "Petro", folder=tmp_path)
    made = json.loads(carillon("people", "invite", "Petro", "--role", "operator", "--json", folder=tmp_path).stdout)
    waiting = json.loads(carillon("people", "list", "--json", folder=tmp_path).stdout)
    removed = carillon("people", "remove", "Petro", folder=tmp_path)
    nobody = carillon("people", "remove", "Petro", folder=tmp_path)

    assert refused.stderr == "An invitation needs a role: owner, operator, approver or manager.\n"
    assert made["ways"] == {"console": f"http://127.0.0.1:8080/console/join?code={made['code']}"}
    assert [(each["name"], each["by"]) for each in waiting] == [("Olha", "config"), ("Petro", "invited, not here yet")]
    assert waiting[1]["until"] == made["expires_at"]
    assert removed.stdout == "Petro is removed.\n"
    assert (nobody.returncode, nobody.stderr) == (1, "Petro did not come by invitation.\n")


def test_init_asks_and_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    answers = 'Acme "mailings"\nEurope/Kyiv\nOlha\n1001\nBOT\nshop\nSHOP\n'

    done = carillon("init", folder=tmp_path, answers=answers)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600
    tokens = {"BOT": "1:A", "SHOP": "2:B"}
    people = carillon("people", "list", "--json", folder=tmp_path, environment=tokens)
    assert json.loads(people.stdout) == [OLHA]
    from bot.config import load

    config = load(tmp_path / "config.toml", tokens)
    assert (config.app.name, config.app.timezone) == ('Acme "mailings"', "Europe/Kyiv")
    assert [channel.id for channel in config.channels] == ["shop"]


def test_init_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("# mine\n")

    words = refusal(carillon("init", folder=tmp_path), 2)

    assert words == "config.toml exists already; --force writes over it.\n"
    assert (tmp_path / "config.toml").read_text() == "# mine\n"


def test_init_refuses_an_answer_that_can_not_be_and_writes_nothing(tmp_path: Path) -> None:
    done = carillon("init", folder=tmp_path, answers="Acme\nEurope/Kiew\nOlha\n1001\n\n\n\n")

    assert done.returncode == 2
    assert "no time zone is called “Europe/Kiew”" in done.stderr
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (
            "mysql://u:hush@x/y",
            2,
            "config.toml, line 2: url in [storage]: it begins with “mysql”; Carillon keeps its data in ",
        ),
        (
            "postgresql://u:hush@x:port/y",
            2,
            "storage.url is no URL; write sqlite:///data/carillon.db or postgresql://…\n",
        ),
        ("postgresql://u:hush@127.0.0.1:9/c", 1, "The storage does not answer: "),
        ("sqlite:///config.toml", 1, "The storage refused: file is not a database.\n"),
    ],
)
def test_a_storage_that_can_not_be_used_is_told(url: str, code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[storage]\nurl = "{url}"\n')

    said = refusal(carillon("mailing", "list", folder=tmp_path), code)

    assert said.startswith(words)
    assert "hush" not in said


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
