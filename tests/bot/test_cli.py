"""The command line as a person and a script meet it: help, usage, configuration, people."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.cli.context import Wrong
from bot.cli.main import take_options
from tests.bot.commands import CHANNEL, OLHA, PEOPLE, carillon, process, refusal


def test_help_lists_every_command_in_under_a_second(tmp_path: Path) -> None:
    took_s = []
    for _ in range(3):
        began = _cpu_of_children_s()
        done = process("--help", folder=tmp_path)
        took_s.append(_cpu_of_children_s() - began)

    assert done.returncode == 0
    for command in (*ALONE, *GROUPS):
        assert f"  {command} " in done.stdout
    assert min(took_s) < 1.0


def _cpu_of_children_s() -> float:
    """What a machine that does much else makes no longer."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
