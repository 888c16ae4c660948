"""What `[[channels]]` with kind = "telegram" holds."""

import re
from typing import ClassVar, Literal

from pydantic import SecretStr, field_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context
from gateways.telegram.capabilities import TELEGRAM

# aiogram asks for digits, a colon and something without spaces; what would change the URL's path is refused as well.
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_.~:-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # core.telegram.org/bots/api#setwebhook


class TelegramSettings(ChannelModel):
    able: ClassVar[Capabilities] = TELEGRAM

    kind: Literal["telegram"] = "telegram"
    token: SecretStr
    api_base: ApiBase = "https://api.telegram.org"
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

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.telegram.gateway import TelegramGateway

        return TelegramGateway.from_settings(self, context)
