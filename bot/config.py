"""config.toml: read, checked, and told about in sentences that name file, line and key."""

import difflib
import os
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from bot.config_models import BOT_MODELS, MAX_RATE, App, Approval, Bot, Person, Sending, Storage, Tables, Web
from bot.config_words import NOT_BUILT, section_of, sentence_of
from bot.toml_source import Place, key_lines, line_of
from engine.prices import read_price
from engine.settings import Price
from gateways import registry

DEFAULT_FILE = "config.toml"

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CLIENT_COLUMNS = frozenset(  # a channel's id is a column of client files too
    ("id", "name", "first_name", "last_name", "phone", "email", "language", "timezone", "tags", "main_channel")
) | {"subscribed_to"}


class ConfigError(Exception):
    """The configuration can't be used: one or two lines for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was checked; paths are absolute, secrets are SecretStr."""

    file: Path
    app: App
    storage: Storage
    web: Web
    sending: Sending
    approval: Approval | None
    prices: Mapping[str, Price]  # by what is charged for
    people: tuple[Person, ...]
    bots: tuple[Bot, ...]
    channels: tuple[Any, ...]  # one of gateways.registry's models each; all have id, kind, rate, quota
    data_dir: Path

    @property
    def storage_url(self) -> str:
        """With its password: for opening, not for showing."""
        return absolute_url(self.storage.url.get_secret_value(), self.file.parent)

    def rate_of(self, channel: Any) -> float:
        return float(channel.rate if channel.rate is not None else min(self.sending.rate, MAX_RATE, channel.usual_rate))


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check the file. Raises ConfigError."""
    try:
        source = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {file}.\nWrite one with `carillon init`, or name another with --config FILE."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file} can't be read: {words}.") from error
    return read(source, file, environment)


def read(source: str, file: Path, environment: Mapping[str, str]) -> Config:
    """Check what a file holds. Raises ConfigError with the first thing that is wrong."""
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}.") from error
    reader = _Reader(file, key_lines(source), environment, data)
    return reader.read()


def secret_of(config: Config) -> bytes:
    """What signs links and hashes erased addresses: `app.secret`, or the one kept in data_dir, made when absent."""
    if config.app.secret is not None:
        return config.app.secret.get_secret_value().encode()
    file = config.data_dir / "secret"
    config.data_dir.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        fresh = config.data_dir / f".secret-{secrets.token_hex(8)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(32))
        try:
            os.link(fresh, file)  # whole or not at all, and never over one that another process made meanwhile
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_text().strip().encode()


def absolute_url(url: str, folder: Path) -> str:
    """A SQLite file's path starts at the folder of the configuration."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url == f"{prefix}:memory:":
        return url
    return prefix + str(folder.resolve() / url.removeprefix(prefix))


@dataclass(frozen=True, slots=True)
class _Reader:
    file: Path
    lines: Mapping[Place, int]
    environment: Mapping[str, str]
    data: Mapping[str, Any]

    def read(self) -> Config:
        data = self.data
        self._refuse_not_built(data)
        expanded = self._expand(data, ())
        bots = tuple(
            self._validate(self._bot_model(table, number), table, ("bots", number), expanded)
            for number, table in enumerate(self._tables(expanded, "bots"))
        )
        channels = tuple(
            self._validate(self._channel_model(table, number), table, ("channels", number), expanded)
            for number, table in enumerate(self._tables(expanded, "channels"))
        )
        rest = {name: value for name, value in expanded.items() if name not in ("bots", "channels")}
        tables = self._validate(Tables, rest, (), expanded, more_keys=("bots", "channels"))
        self._check_bots(bots, tables.app)
        self._check_channels(channels, tables.app)
        self._check_approval(tables.approval, [channel.id for channel in channels])
        self._check_tokens(bots, channels)
        folder = self.file.resolve().parent
        return Config(
            file=self.file.resolve(),
            app=tables.app,
            storage=tables.storage,
            web=tables.web,
            sending=tables.sending,
            approval=tables.approval,
            prices={name: self._price(name, words) for name, words in tables.prices.items()},
            people=tuple(tables.people),
            bots=bots,
            channels=channels,
            data_dir=folder / tables.app.data_dir,
        )

    def _tables(self, data: Mapping[str, Any], name: str) -> Sequence[Any]:
        tables = data.get(name, [])
        if not isinstance(tables, list):
            raise self._error((name,), f"write [[{name}]], once for each")
        return tables

    def _bot_model(self, table: Any, number: int) -> type[BaseModel]:
        kind = self._kind(table, ("bots", number), tuple(BOT_MODELS))
        if kind not in BOT_MODELS:
            raise self._error(("bots", number, "kind"), _no_such_kind("admin bot", kind, tuple(BOT_MODELS)))
        return BOT_MODELS[kind]

    def _channel_model(self, table: Any, number: int) -> type[BaseModel]:
        kind = self._kind(table, ("channels", number), registry.KINDS)
        provider = table.get("provider")
        try:
            return registry.config_model(kind, provider if isinstance(provider, str) else None)
        except registry.UnusableKind as error:
            near = difflib.get_close_matches(kind, registry.KINDS, n=1)
            hint = f"; did you mean “{near[0]}”?" if near else ""
            raise self._error(("channels", number, "kind"), f"{error}{hint}") from error

    def _kind(self, table: Any, place: Place, kinds: Sequence[str]) -> str:
        if not isinstance(table, Mapping):
            raise self._error(place, f"write [[{place[0]}]], once for each")
        kind = table.get("kind")
        if not isinstance(kind, str):
            raise self._error(place, f"{section_of(place, self.data)} needs kind: {', '.join(kinds)}")
        return kind

    def _expand(self, value: Any, place: Place) -> Any:
        """The value with every ${NAME} in its strings replaced."""
        match value:
            case str():
                return _VARIABLE.sub(lambda found: self._variable(found[1], place), value)
            case dict():
                return {name: self._expand(inner, (*place, name)) for name, inner in value.items()}
            case list():
                return [self._expand(inner, (*place, number)) for number, inner in enumerate(value)]
        return value

    def _variable(self, name: str, place: Place) -> str:
        if name not in self.environment:
            key = next(part for part in reversed(place) if isinstance(part, str))
            where = section_of(place, self.data)
            raise self._error(
                place, f"“{key}” in {where} takes the environment variable {name}, which is not set; set it and repeat"
            )
        return self.environment[name]

    def _refuse_not_built(self, data: Mapping[str, Any]) -> None:
        for path, words in NOT_BUILT.items():
            for place in _places(data, path):
                raise self._error(place, words)

    def _validate(
        self,
        model: type[Any],
        table: Mapping[str, Any],
        place: Place,
        data: Mapping[str, Any],
        more_keys: tuple[str, ...] = (),
    ) -> Any:
        try:
            return model.model_validate(table, strict=True, context={"folder": self.file.resolve().parent})
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            inner = tuple(part for part in problem["loc"] if not str(part).startswith("function-"))
            full = _named(problem, (*place, *inner), table)
            known = (*_keys_at(model, inner), *(more_keys if len(inner) == 1 else ()))
            raise self._error(full, sentence_of(dict(problem), full, data, known)) from None  # its text shows the input

    def _check_bots(self, bots: Sequence[Any], app: App) -> None:
        for number, bot in enumerate(bots):
            if bot.kind in [other.kind for other in bots[:number]]:
                raise self._error(("bots", number), f"there is a bot of the kind “{bot.kind}” already; one of each")
            self._check_mode(bot, ("bots", number), app)

    def _check_channels(self, channels: Sequence[Any], app: App) -> None:
        for number, channel in enumerate(channels):
            place: Place = ("channels", number, "id")
            if not _CHANNEL_ID.fullmatch(channel.id):
                raise self._error(place, f"a channel's id is letters, digits, - and _; “{channel.id}” is not")
            if channel.id.lower() in _CLIENT_COLUMNS:
                raise self._error(place, f"“{channel.id}” is a column of client files; give the channel another id")
            if channel.id in [other.id for other in channels[:number]]:
                raise self._error(place, f"two channels have the id “{channel.id}”; each needs its own")
            self._check_mode(channel, ("channels", number), app)

    def _check_approval(self, approval: Approval | None, known: Sequence[str]) -> None:
        for channel in approval.channels if approval else ():
            if channel not in known:
                words = f"there is no channel “{channel}”; there is {', '.join(known) or 'none'}"
                raise self._error(("approval", "channels"), words)

    def _price(self, name: str, words: str) -> Price:
        if name not in registry.PRICED:
            near = difflib.get_close_matches(name, registry.PRICED, n=1, cutoff=0.5)
            hint = f"did you mean “{near[0]}”?" if near else f"there is {', '.join(registry.PRICED)}"
            raise self._error(("prices", name), f"nothing is charged for as “{name}”; {hint}")
        price = read_price(words)
        if price is None:
            raise self._error(("prices", name), f'“{name}” in [prices] is an amount and a currency, such as "0.06 EUR"')
        return price

    def _check_mode(self, account: Any, place: Place, app: App) -> None:
        if getattr(account, "mode", None) == "webhook" and app.public_url is None:
            raise self._error((*place, "mode"), 'mode = "webhook" needs public_url in [app], where messengers reach us')

    def _check_tokens(self, bots: Sequence[Any], channels: Sequence[Any]) -> None:
        """Two that read one account's updates would steal them from each other."""
        seen: dict[tuple[str, str], str] = {}
        accounts = [*((bot, ("bots", number)) for number, bot in enumerate(bots))]
        accounts += [(channel, ("channels", number)) for number, channel in enumerate(channels)]
        for account, place in accounts:
            token = getattr(account, "token", None)
            if not isinstance(token, SecretStr):
                continue
            name = f"the channel “{account.id}”" if place[0] == "channels" else f"the admin bot ({account.kind})"
            key = (token.get_secret_value(), urlsplit(account.api_base).netloc)
            if key in seen:
                raise self._error((*place, "token"), f"{name} has the same token as {seen[key]}; each needs its own")
            seen[key] = name

    def _error(self, place: Place, words: str) -> ConfigError:
        line = line_of(self.lines, place)
        where = f"{self.file}, line {line}" if line else str(self.file)
        return ConfigError(f"{where}: {words}" + ("" if words.endswith(("?", "…")) else "."))


def _named(problem: Mapping[str, Any], place: Place, table: Mapping[str, Any]) -> Place:
    """The place of a problem; one of a whole table is at the key that its sentence begins with, where there is one."""
    first = str(problem["msg"]).removeprefix("Value error, ").partition(" ")[0]
    return (*place, first) if place and isinstance(place[-1], int) and first in table else place


def _places(data: Any, path: Sequence[str], place: Place = ()) -> Sequence[Place]:
    """Every place in the data that a path such as ("sending", "cap") names, whichever entry of a list."""
    if isinstance(data, list):
        return [found for number, entry in enumerate(data) for found in _places(entry, path, (*place, number))]
    if not path:
        return [place]
    if not isinstance(data, Mapping) or path[0] not in data:
        return []
    return _places(data[path[0]], path[1:], (*place, path[0]))


def _keys_at(model: type[BaseModel], place: Place) -> Sequence[str]:
    """The keys that the table around `place` knows."""
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        inner = _models_in(model.model_fields[part].annotation) if part in model.model_fields else []
        if not inner:
            return ()
        model = inner[0]
    return tuple(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _no_such_kind(what: str, kind: str, kinds: Sequence[str]) -> str:
    near = difflib.get_close_matches(kind, kinds, n=1)
    hint = f"did you mean “{near[0]}”?" if near else f"there is {', '.join(kinds)}"
    return f"there is no {what} of the kind “{kind}”; {hint}"
