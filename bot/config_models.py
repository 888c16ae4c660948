"""The tables of config.toml as pydantic reads them; a channel's model stands with its kind, in gateways.registry."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

MAX_RATE = 25.0  # messages/second: the pace that no channel passes unless its owner says so


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_id), Field(min_length=1, max_length=128)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+")]
Token = Annotated[SecretStr, Field(min_length=1)]


class Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class App(Section):
    name: str = Field(default="Carillon", min_length=1)
    locale: Literal["en", "ru", "uk"] = "en"
    timezone: str = "UTC"
    support: str | None = None
    inbox: bool = False
    public_url: Url | None = None
    data_dir: str = Field(default="data", min_length=1)
    secret: Token | None = None
    logs: Literal["text", "json"] = "text"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError that says less
            raise ValueError("no such time zone; write one as Europe/Kyiv") from error
        except KeyError as error:
            raise ValueError(f"no time zone is called “{value}”; write one as Europe/Kyiv") from error
        return value


class Storage(Section):
    url: Token = SecretStr("sqlite:///data/carillon.db")  # its password is a secret

    @field_validator("url")
    @classmethod
    def _known_kind(cls, value: SecretStr) -> SecretStr:
        kind = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", value.get_secret_value())
        if kind is None:
            raise ValueError("it is no URL; write sqlite:///data/carillon.db or postgresql://…")
        if kind[1].partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
            raise ValueError(f"it begins with “{kind[1]}”; Carillon keeps its data in sqlite:// or postgresql://")
        return value


class Web(Section):
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8080, ge=0, le=65535)
    api_tokens: list[Token] = []
    orders_hook: Url | None = None
    orders_hook_secret: Token | None = Field(default=None, validate_default=True)

    @field_validator("orders_hook_secret")
    @classmethod
    def _signs_the_hook(cls, value: SecretStr | None, told: ValidationInfo) -> SecretStr | None:
        if value is None and told.data.get("orders_hook") is not None:
            raise ValueError("it signs what orders_hook is told; set one, and check it there")
        return value


class InterruptAt(Section):
    failed_share: float = Field(default=0.3, gt=0, le=1)
    after: int = Field(default=200, ge=1)
    gone_share: float | None = Field(default=None, gt=0, le=1)


class Sending(Section):
    rate: float = Field(default=MAX_RATE, gt=0, le=MAX_RATE)
    tries: int = Field(default=3, ge=1, le=10)
    interrupt_at: InterruptAt = InterruptAt()
    cascade_after_minutes: float = Field(default=30.0, gt=0, le=7 * 24 * 60)
    same_text_days: int = Field(default=7, ge=0, le=365)


_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Approval(Section):
    """When a second person has to approve a mailing: any of these is enough."""

    above: int | None = Field(default=None, ge=0)
    outside_hours: list[str] | None = None
    channels: list[str] = []

    @field_validator("outside_hours")
    @classmethod
    def _from_and_until(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and (len(set(value)) != 2 or len(value) != 2 or not all(map(_HOUR.fullmatch, value))):
            raise ValueError('two hours, from and until, such as ["20:00", "08:00"]')
        return value


class Person(Section):
    name: str = Field(min_length=1, max_length=64)
    role: Literal["owner", "operator", "approver", "manager"]
    telegram: Id | None = None
    slack: Id | None = None

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        if "|" in value:
            raise ValueError("a name holds no “|”")
        return value


class TelegramBot(Section):
    kind: Literal["telegram"]
    token: Token
    api_base: Url = "https://api.telegram.org"
    webhook_secret: Annotated[SecretStr, Field(min_length=1, max_length=256)] | None = None
    mode: Literal["webhook", "polling"] | None = None
    team_chat: Id | None = None

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_.~:-]+", value.get_secret_value()):
            raise ValueError("a Telegram token is digits, a colon and letters, as @BotFather gives it")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _letters(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", value.get_secret_value()):
            raise ValueError("Telegram takes only letters, digits, _ and - in it")
        return value


class SlackBot(Section):
    """With an `app_token` it hears by Socket Mode, else by HTTP, which the `signing_secret` proves."""

    kind: Literal["slack"]
    token: Token
    app_token: Token | None = None
    signing_secret: Token | None = Field(default=None, validate_default=True)
    api_base: Url = "https://slack.com/api"
    team_chat: Id | None = None

    @field_validator("token")
    @classmethod
    def _of_the_bot(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("xapp-"):
            raise ValueError("that is the app-level token, which is app_token here; the bot's begins with xoxb-")
        return value

    @field_validator("app_token")
    @classmethod
    def _of_the_app(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("xoxb-"):
            raise ValueError("that is the bot's token, which is token here; the app's begins with xapp-")
        return value

    @field_validator("signing_secret")
    @classmethod
    def _hears_somehow(cls, value: SecretStr | None, told: ValidationInfo) -> SecretStr | None:
        if value is None and told.data.get("app_token") is None:
            raise ValueError("a bot on Slack needs app_token (Socket Mode) or signing_secret (HTTP)")
        return value


class ConsoleBot(Section):
    kind: Literal["console"]


Bot = TelegramBot | SlackBot | ConsoleBot
BOT_MODELS: Mapping[str, type[TelegramBot] | type[SlackBot] | type[ConsoleBot]] = {
    "telegram": TelegramBot,
    "slack": SlackBot,
    "console": ConsoleBot,
}


class Tables(Section):
    """The tables that have one shape; bots and channels are read by kind."""

    app: App = App()
    storage: Storage = Storage()
    web: Web = Web()
    sending: Sending = Sending()
    approval: Approval | None = None
    prices: dict[str, str] = {}
    people: list[Person] = []

    @model_validator(mode="after")
    def _each_account_once(self) -> Self:
        for title in ("Telegram", "Slack"):
            accounts = [getattr(person, title.lower()) for person in self.people]
            for account in filter(None, accounts):
                if accounts.count(account) > 1:
                    raise ValueError(f"two of [[people]] have the {title} id {account}")
        names = [person.name for person in self.people]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two of [[people]] are called “{name}”")
        return self
