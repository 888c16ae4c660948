"""The command line as a person and a script meet it: real processes, exit codes, and what stands where."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bot.cli.context import Wrong
from bot.cli.main import take_options

CARILLON = Path(sys.executable).parent / "carillon"
PEOPLE = '[[people]]\nname = "Olha"\nrole = "owner"\ntelegram = 1001\n'
CHANNEL = '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "2:SHOP"\napi_base = "http://127.0.0.1:9"\n'


def carillon(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, answers: str = ""
) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON")}
    return subprocess.run(
        [CARILLON, *arguments],
        cwd=folder,
        env=plain | dict(environment or {}),
        input=answers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str], code: int) -> str:
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
        done = carillon("--help", folder=tmp_path)
        took_s.append(time.perf_counter() - began)

    assert done.returncode == 0
    for command in [
        "demo",
        "run",
        "check",
        "init",
        "sandbox",
        "stats",
        "stop",
        "go",
        "mailing",
        "clients",
        "segment",
        "channels",
        "people",
        "db",
    ]:
        assert f"  {command} " in done.stdout
    assert min(took_s) < 1.0


def test_nothing_heavy_is_imported_for_help(tmp_path: Path) -> None:
    watched = ("aiogram", "aiohttp", "sqlalchemy", "matplotlib", "pydantic", "rich", "jinja2", "uvloop")
    code = f"import sys, bot.cli.main; print([name for name in {watched!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


COMMANDS = [
    *(["demo"], ["run"], ["check"], ["init"], ["sandbox"], ["stats"], ["stop"], ["go"]),
    *(
        ["mailing", name]
        for name in ["create", "list", "show", "launch", "pause", "resume", "cancel", "copy", "delete"]
    ),
    *(["mailing", name] for name in ["preview", "failed", "why", "unknown", "watch"]),
    *(["clients", name] for name in ["import", "list", "show", "erase", "export"]),
    *(["segment", name] for name in ["list", "show", "count", "save", "delete"]),
    *(["channels", "topup"], ["people", "list"], ["people", "invite"], ["people", "test-alert"]),
    *(["db", "upgrade"], ["db", "backup"]),
]


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
            "Invalid value for 'ID': 'x' is not a valid int.\nSee `carillon mailing show --help`.\n",
        ),
        (["mailing", "list", "--lmit", "3"], "No such option: --lmit"),
        (["run", "--only", "web,motor"], "--only knows web, engine, bot; “motor” is none of them.\n"),
        (["people", "invite"], "`carillon people invite` is planned and not built yet"),
        (["mailing", "create", "none.toml"], "There is no file none.toml.\n"),
        (["stats", "--since", "soon"], "--since soon is no date; write one as 2026-11-01.\n"),
        (["--config"], "--config needs the name of a file"),
    ],
)
def test_wrong_usage_is_told_in_plain_words_with_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    assert refusal(carillon(*arguments, folder=tmp_path), 2).startswith(words)


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
    assert json.loads(documented.stdout) == [{"name": "Olha", "role": "owner", "telegram": "1001"}]


def test_init_asks_and_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    answers = 'Acme "mailings"\nEurope/Kyiv\nOlha\n1001\nBOT\nshop\nSHOP\n'

    done = carillon("init", folder=tmp_path, answers=answers)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600
    tokens = {"BOT": "1:A", "SHOP": "2:B"}
    people = carillon("people", "list", "--json", folder=tmp_path, environment=tokens)
    assert json.loads(people.stdout) == [{"name": "Olha", "role": "owner", "telegram": "1001"}]
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
