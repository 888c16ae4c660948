"""What `[[channels]]` with kind = "telegram" holds."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from gateways.telegram.capabilities import TELEGRAM

# aiogram asks for digits, a colon and something without spaces; what would change the URL's path is refused as well.
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_.~:-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # core.telegram.org/bots/api#setwebhook


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Quota(BaseModel):
    """So many messages, by the day or until the package is topped up."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    messages: int = Field(gt=0)
    per: Literal["day", "package"]


class TelegramSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[str, BeforeValidator(_id), Field(min_length=1, max_length=64)]
    kind: Literal["telegram"] = "telegram"
    token: SecretStr
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # messages/second; None: what [sending] says
    allow_faster: bool = False
    quota: Quota | None = None
    api_base: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")] = "https://api.telegram.org"
    webhook_secret: SecretStr | None = None
    mode: Literal["webhook", "polling"] | None = None  # None: a webhook where there is a public_url

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a Telegram token is digits, a colon and letters, as @BotFather gives it")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _letters(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("Telegram takes 1 to 256 letters, digits, _ and - in it")
        return value

    @model_validator(mode="after")
    def _within_the_rate(self) -> Self:
        if self.rate is not None and self.rate > TELEGRAM.max_rate and not self.allow_faster:
            raise ValueError(f"rate is above {TELEGRAM.max_rate:g}; add allow_faster = true if Telegram lets this bot")
        return self
