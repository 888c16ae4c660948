"""What `[[channels]]` with kind = "viber" holds."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context
from gateways.viber.capabilities import MAX_SENDER_NAME, VIBER

_TOKEN = re.compile(r"[!-~]{8,128}")  # three groups of 16 letters today, which nothing promises


class ViberSettings(ChannelModel):
    able: ClassVar[Capabilities] = VIBER

    kind: Literal["viber"] = "viber"
    token: SecretStr
    sender_name: str = Field(min_length=1, max_length=MAX_SENDER_NAME)
    sender_avatar: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)] | None = None
    api_base: ApiBase = "https://chatapi.viber.com/pa"
    welcome: str = Field(default="", max_length=1000)  # to who opens the chat; "": a sentence of ours

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a Viber token is letters and digits without spaces, as partners.viber.com shows it")
        return value

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.viber.gateway import ViberGateway

        return ViberGateway.from_settings(self, context)
