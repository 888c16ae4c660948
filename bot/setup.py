"""The first configuration: the example with a person's answers in it."""

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bot.config import ConfigError, read

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Answers:
    name: str
    timezone: str
    person: str
    telegram: str
    bot_variable: str
    channel: str
    channel_variable: str


def write_config(file: Path, answers: Answers) -> None:
    """Write the file, readable by its owner alone. Raises ConfigError for an answer that can't stand in it."""
    source = filled(answers)
    tokens = {answers.bot_variable: "1:x", answers.channel_variable: "2:x"}
    read(source, file, tokens)  # an answer such as a time zone that does not exist is told before anything is written
    file.write_text(source, encoding="utf-8")
    file.chmod(0o600)


def filled(answers: Answers) -> str:
    """The example's text with the answers in place of its values."""
    for variable in (answers.bot_variable, answers.channel_variable):
        if not _VARIABLE.fullmatch(variable):
            raise ConfigError(f"“{variable}” can't be the name of an environment variable; write one as TG_TOKEN.")
    if not re.fullmatch(r"[0-9]+", answers.telegram):
        raise ConfigError(f"“{answers.telegram}” is no Telegram id; it is a number, and @userinfobot tells it.")
    lines = {
        'name = "Carillon"': f"name = {_quoted(answers.name)}",
        'timezone = "UTC"': f"timezone = {_quoted(answers.timezone)}",
        'name = "Olha"': f"name = {_quoted(answers.person)}",
        "telegram = 1001": f"telegram = {answers.telegram}",
        'token = "${ADMIN_BOT_TOKEN}"': f'token = "${{{answers.bot_variable}}}"',
        'id = "tg-shop"': f"id = {_quoted(answers.channel)}",
        'token = "${TG_TOKEN}"': f'token = "${{{answers.channel_variable}}}"',
    }
    return "".join(f"{lines.get(line, line)}\n" for line in example().splitlines())


def example() -> str:
    """config.example.toml, which stands beside the packages in a clone and inside this one where it is installed."""
    name = "config.example.toml"
    inside = resources.files("bot").joinpath(name)
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / name).read_text(encoding="utf-8")


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
