"""config.toml, right and wrong; what is wrong is told with file, line and key."""

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bot.config import Config, ConfigError, load, read, secret_of
from bot.config_models import BOT_MODELS, Tables
from bot.toml_source import key_lines, line_of
from gateways import registry

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.toml"
TOKENS = {"ADMIN_BOT_TOKEN": "1:ADMIN", "TG_TOKEN": "2:SHOP", "CARILLON_SECRET": "s3cret", "ORDERS_HOOK_SECRET": "h00k"}
VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")
CHANNELS = [(kind, by or None) for kind, models in registry.MODELS.items() for by in models]
SHOP = '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "2:SHOP"\n'


def config_of(source: str, folder: Path = Path("/srv/acme"), environment: Mapping[str, str] = TOKENS) -> Config:
    return read(source, folder / "config.toml", environment)


def problem_with(source: str, environment: Mapping[str, str] = TOKENS) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(source, environment=environment)
    return str(caught.value).removeprefix("/srv/acme/")


def test_the_example_loads_and_shows_defaults() -> None:
    config = load(EXAMPLE, TOKENS)

    assert config.app == type(config.app)()
    assert config.web == type(config.web)()
    assert config.sending == type(config.sending)()
    assert [channel.id for channel in config.channels] == ["tg-shop"]
    assert [bot.kind for bot in config.bots] == ["telegram", "console"]


def example_with_everything() -> str:
    return re.sub(r'^#(?=[a-z_]+ = |"[a-z.]+" = |\[)', "", EXAMPLE.read_text(), flags=re.MULTILINE)


def test_the_example_loads_with_every_commented_key_and_table_too() -> None:
    source = example_with_everything()
    variables = {name: f"{number}:secret" for number, name in enumerate(VARIABLE.findall(source))}
    config = read(source, EXAMPLE, variables)

    assert config.app.public_url == "https://m.acme.test"
    assert config.channels[0].quota.messages == 5000
    assert config.bots[0].kind == "telegram"


def test_the_example_has_a_channel_of_each_kind_and_provider_with_every_key_and_its_default() -> None:
    channels = tomllib.loads(example_with_everything())["channels"]
    tables = {(table["kind"], table.get("provider")): table for table in channels}

    assert set(tables) == set(CHANNELS)
    for (kind, by), table in tables.items():
        fields = registry.config_model(kind, by).model_fields
        assert set(fields) - set(table) <= {"rate", "allow_faster", "quota"}, kind
        defaults = {name: field.default for name, field in fields.items() if name in table and not field.is_required()}
        shown = {name: default for name, default in defaults.items() if default is not None}
        assert {name: table[name] for name in shown} == shown, kind


def test_the_example_names_every_key_that_a_model_knows() -> None:
    keys = set(re.findall(r"([a-z_]+) = ", EXAMPLE.read_text()))
    models = [Tables, *BOT_MODELS.values(), *(registry.config_model(kind, by) for kind, by in CHANNELS)]

    assert {name for model in models for name in key_names(model)} <= keys | {
        "app",
        "storage",
        "web",
        "sending",
        "approval",
        "prices",
        "people",
    }


def key_names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from key_names(inner)


def test_every_key_of_the_example_has_a_comment_line() -> None:
    lines = EXAMPLE.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"#?[a-z_]+ = ", line)]

    assert [lines[number] for number in keys if not lines[number - 1].startswith("# ")] == []


def test_an_empty_file_is_a_configuration() -> None:
    config = config_of("")

    assert config.channels == ()
    assert config.storage_url == "sqlite:////srv/acme/data/carillon.db"
    assert config.data_dir == Path("/srv/acme/data")


def test_ids_are_strings_or_integers() -> None:
    source = (
        '[[people]]\nname = "Olha"\nrole = "owner"\ntelegram = 1001\n'
        '[[people]]\nname = "Ann"\nrole = "manager"\ntelegram = "1002"\n'
        '[[bots]]\nkind = "telegram"\ntoken = "1:A"\nteam_chat = -100200300\n'
        '[[channels]]\nid = 7\nkind = "telegram"\ntoken = "2:B"\n'
    )
    config = config_of(source)

    assert [person.telegram for person in config.people] == ["1001", "1002"]
    assert config.bots[0].team_chat == "-100200300"  # type: ignore[union-attr]
    assert config.channels[0].id == "7"


def test_variables_are_taken_inside_strings() -> None:
    config = config_of(
        '[storage]\nurl = "postgresql://u:${PASSWORD}@db/${NAME}"', environment={"PASSWORD": "p", "NAME": "c"}
    )

    assert config.storage_url == "postgresql://u:p@db/c"


ROLES = 'role in [[people]] “O” must be "owner", "operator", "approver" or "manager".'
NOT_YET = "is planned and not built yet; take it out."
OWNER = '[[people]]\nname = "O"\nrole = "owner"\n'
CONSOLE = '[[bots]]\nkind = "console"\n'

WRONG: list[tuple[str, int | None, str]] = [
    # keys that do not exist
    ("[web]\nprot = 80", 2, "there is no key “prot” in [web]; did you mean “port”?"),
    ("[webb]\nport = 80", 1, "there is no key “webb” in the file; did you mean “web”?"),
    (f'{SHOP}tokn = "x"', 5, "there is no key “tokn” in [[channels]] “tg-shop”; did you mean “token”?"),
    (
        "[sending]\n# one\ninterrupt_at = { failed_shar = 0.5 }",
        3,
        "there is no key “failed_shar” in interrupt_at of [sending]; did you mean “failed_share”?",
    ),
    # values that can't be
    ("[sending.interrupt_at]\nafter = 0", 2, "after in interrupt_at of [sending] must be at least 1."),
    ('[web]\n\nport = "80"', 3, "port in [web] must be a whole number."),
    ("[web]\nport = 80.5", 2, "port in [web] must be a whole number."),
    ("[web]\nport = true", 2, "port in [web] must be a whole number."),
    ("[web]\nport = 99999", 2, "port in [web] must be at most 65535."),
    ('[web]\napi_tokens = "x"', 2, "api_tokens in [web] must be a list in [ ]."),
    ("web = 3", 1, "web in the file must be a table."),
    ("channels = 3", 1, "write [[channels]], once for each."),
    ("[channels]\nid = 3", 1, "write [[channels]], once for each."),
    ('[[people]]\nname = "O"\nrole = 3', 3, ROLES),
    ('[[people]]\nname = "O"\nrole = "boss"', 3, ROLES),
    ('[app]\ntimezone = "Kiew"', 2, "timezone in [app]: no time zone is called “Kiew”; write one as Europe/Kyiv."),
    ('[app]\ntimezone = "../x"', 2, "timezone in [app]: no such time zone; write one as Europe/Kyiv."),
    ('[app]\npublic_url = "acme.test"', 2, "public_url in [app] must be a URL that begins with https:// or http://."),
    (
        '[storage]\nurl = "mysql://u:p@db/c"',
        2,
        "url in [storage]: it begins with “mysql”; Carillon keeps its data in sqlite:// or postgresql://.",
    ),
    (
        '[storage]\nurl = "nonsense"',
        2,
        "url in [storage]: it is no URL; write sqlite:///data/carillon.db or postgresql://…",
    ),
    ("[sending]\nrate = 30", 2, "rate in [sending] must be at most 25."),
    (f"{SHOP}rate = 0", 5, "rate in [[channels]] “tg-shop” must be above 0."),
    (f'{SHOP}rate = "9"', 5, "rate in [[channels]] “tg-shop” must be a number."),
    (
        f"{SHOP}rate = 30",
        5,
        "[[channels]] “tg-shop”: rate is above 25; add allow_faster = true if Telegram lets this channel.",
    ),
    (
        f'{SHOP}quota = {{ messages = 5, per = "week" }}',
        5,
        'per in quota of [[channels]] “tg-shop” must be "day" or "package".',
    ),
    # what is missing
    ("[[channels]]\nid = 3", 1, f"[[channels]] “3” needs kind: {', '.join(registry.KINDS)}."),
    ('[[channels]]\nid = "a"\nkind = "telegram"', 1, "[[channels]] “a” needs token."),
    (f'{SHOP}mode = "webhook"', 5, 'mode = "webhook" needs public_url in [app], where messengers reach us.'),
    # kinds
    (
        '[[channels]]\nid = "a"\nkind = "telegrm"',
        3,
        f"there is no channel of the kind “telegrm”; there is {', '.join(registry.KINDS)}; did you mean “telegram”?",
    ),
    # two that can't be together
    (f"{SHOP}{SHOP}", 6, "two channels have the id “tg-shop”; each needs its own."),
    (
        SHOP + SHOP.replace("tg-shop", "tg-2"),
        8,
        "the channel “tg-2” has the same token as the channel “tg-shop”; each needs its own.",
    ),
    (
        f'[[bots]]\nkind = "telegram"\ntoken = "2:SHOP"\n{SHOP}',
        7,
        "the channel “tg-shop” has the same token as the admin bot (telegram); each needs its own.",
    ),
    (
        f'{OWNER}slack = "U1"\n{OWNER.replace("O", "P")}slack = "U1"',
        None,
        "two of [[people]] have the Slack id U1.",
    ),
    (
        '[[bots]]\nkind = "slack"\ntoken = "xoxb-1"',
        1,
        "signing_secret in [[bots]] “slack”: a bot on Slack needs app_token (Socket Mode) or signing_secret (HTTP).",
    ),
    (
        '[[bots]]\nkind = "slack"\ntoken = "xapp-1"\nsigning_secret = "s"',
        3,
        "token in [[bots]] “slack”: that is the app-level token, which is app_token here; the bot's begins with xoxb-.",
    ),
    (
        '[[bots]]\nkind = "slack"\ntoken = "xoxb-1"\napp_token = "xoxb-1"',
        4,
        "app_token in [[bots]] “slack”: that is the bot's token, which is token here; the app's begins with xapp-.",
    ),
    (f"{CONSOLE}{CONSOLE}", 3, "there is a bot of the kind “console” already; one of each."),
    (
        f"{OWNER}telegram = 1\n{OWNER.replace('O', 'P')}telegram = 1",
        None,
        "two of [[people]] have the Telegram id 1.",
    ),
    (SHOP.replace("tg-shop", "shop 1"), 2, "a channel's id is letters, digits, - and _; “shop 1” is not."),
    (SHOP.replace("tg-shop", "phone"), 2, "“phone” is a column of client files; give the channel another id."),
    # described and not built yet
    ('[sending]\nquiet_hours = ["21:00", "09:00"]', 2, f"quiet_hours in [sending] {NOT_YET}"),
    ("[sending]\ncap = { messages = 3, days = 7 }", 2, f"cap in [sending] {NOT_YET}"),
    ("[approval]\nabov = 5", 2, "there is no key “abov” in [approval]; did you mean “above”?"),
    (
        '[approval]\noutside_hours = ["20:00"]',
        2,
        'outside_hours in [approval]: two hours, from and until, such as ["20:00", "08:00"].',
    ),
    (
        '[approval]\noutside_hours = ["8 pm", "8 am"]',
        2,
        'outside_hours in [approval]: two hours, from and until, such as ["20:00", "08:00"].',
    ),
    (f'[approval]\nchannels = ["tg-shp"]\n{SHOP}', 2, "there is no channel “tg-shp”; there is tg-shop."),
    ('[prices]\n"sms.segmnt" = "0.06 EUR"', 2, "nothing is charged for as “sms.segmnt”; did you mean “sms.segment”?"),
    (
        '[prices]\n"sms.segment" = "six cents"',
        2,
        '“sms.segment” in [prices] is an amount and a currency, such as "0.06 EUR".',
    ),
    ('[app]\nlocale = "de"', 2, 'locale in [app] must be "en", "ru" or "uk".'),
    (
        '[[channels]]\nid = "mail"\nkind = "email"',
        3,
        f"a channel of the kind “email” is planned and not built yet; there is {', '.join(registry.KINDS)}.",
    ),
]


@pytest.mark.parametrize(("source", "line", "words"), WRONG)
def test_what_is_wrong_is_told_with_file_line_and_key(source: str, line: int | None, words: str) -> None:
    where = f"config.toml, line {line}" if line else "config.toml"

    assert problem_with(source) == f"{where}: {words}"


def test_what_is_no_toml_is_told_with_its_line() -> None:
    assert problem_with("[web]\nport = ]").startswith("config.toml is no TOML: Invalid value (at line 2")


def test_a_missing_variable_is_told_with_key_and_name() -> None:
    source = SHOP.replace("2:SHOP", "${TG_TOKEN}")

    assert problem_with(source, environment={}) == (
        "config.toml, line 4: “token” in [[channels]] “tg-shop” takes the environment variable TG_TOKEN, "
        "which is not set; set it and repeat."
    )


def test_a_missing_file_names_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)There is no .*config.toml\..*carillon init"):
        load(tmp_path / "config.toml", {})


@pytest.mark.parametrize(
    "source",
    [
        f"{SHOP}webhook_secret = 'not allowed: hush'",
        SHOP.replace("2:SHOP", "hush"),
        '[[bots]]\nkind = "telegram"\ntoken = "hush"',
        '[storage]\nurl = ["hush"]',
        '[web]\napi_tokens = [["hush"]]',
        "[app]\nsecret = { hush = 1 }",
    ],
)
def test_a_secret_stands_in_no_error(source: str) -> None:
    words = problem_with(source)

    assert "hush" not in words
    assert "line" in words


def test_a_secret_stands_in_no_repr() -> None:
    config = config_of(
        f'{SHOP}[storage]\nurl = "postgresql://u:hush@db/c"\n[web]\napi_tokens = ["hush"]\n[app]\nsecret = "hush"'
    )

    assert "hush" not in repr(config)
    assert "2:SHOP" not in repr(config)


def test_a_rate_above_25_is_taken_where_it_is_allowed() -> None:
    config = config_of(f"{SHOP}rate = 30\nallow_faster = true")

    assert config.rate_of(config.channels[0]) == 30


def test_a_channel_without_a_rate_has_the_one_of_all() -> None:
    config = config_of(f"[sending]\nrate = 10\n{SHOP}")

    assert config.rate_of(config.channels[0]) == 10


def test_a_secret_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    config = config_of("", tmp_path)

    secret = secret_of(config)

    assert secret_of(config) == secret
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret"]


def test_a_named_secret_leaves_no_file(tmp_path: Path) -> None:
    config = config_of('[app]\nsecret = "mine"', tmp_path)

    assert secret_of(config) == b"mine"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///data/carillon.db", "sqlite:////srv/acme/data/carillon.db"),
        ("sqlite:////var/lib/carillon.db", "sqlite:////var/lib/carillon.db"),
        ("postgresql://u@h/c", "postgresql://u@h/c"),
    ],
)
def test_a_path_starts_at_the_folder_of_the_file(url: str, absolute: str) -> None:
    assert config_of(f'[storage]\nurl = "{url}"').storage_url == absolute


SOURCE = '''\
top = 1
[a]
words = """
[not.a.table]
fake = 1
"""
list = [
  "x = 1",  # ]
  [2],
]
after = 1
[a."b c".d]
deep.er = 1
[[t]]
x = 1
[[t]]
x = 2
[t.inner]
y = 1
[[t.many]]
z = 1
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 1),
        (("a", "words"), 3),
        (("a", "list"), 7),
        (("a", "after"), 11),
        (("a", "b c", "d", "deep", "er"), 13),
        (("t", 0, "x"), 15),
        (("t", 1, "x"), 17),
        (("t", 1, "inner", "y"), 19),
        (("t", 1, "many", 0, "z"), 21),
        (("a", "list", 1), 7),
        (("nowhere",), None),
    ],
)
def test_the_line_of_a_key_is_found(place: tuple[Any, ...], line: int | None) -> None:
    assert line_of(key_lines(SOURCE), place) == line


def test_what_only_looks_like_a_key_has_no_line() -> None:
    assert ("a", "fake") not in key_lines(SOURCE)
    assert ("not", "a", "table") not in key_lines(SOURCE)
