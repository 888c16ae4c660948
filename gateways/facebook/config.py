"""What `[[channels]]` with kind = "facebook" holds."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, field_validator, model_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context, as_id
from gateways.facebook.capabilities import FACEBOOK

_TOKEN = re.compile(r"[\x21-\x7e]+")  # it stands in a header
_Number = Annotated[str, BeforeValidator(as_id), StringConstraints(pattern=r"^[0-9]{1,32}$")]


class FacebookSettings(ChannelModel):
    """`app_id` lets us set the app's webhook by ourselves and tell our own echoes from another tool's."""

    able: ClassVar[Capabilities] = FACEBOOK

    kind: Literal["facebook"] = "facebook"
    page_id: _Number
    token: SecretStr
    app_secret: SecretStr = Field(min_length=1)
    verify_token: SecretStr = Field(min_length=1)
    app_id: _Number | None = None
    api_base: ApiBase = "https://graph.facebook.com/v26.0"

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a Page access token is one word, as Meta's Access Token Tool shows it")
        return value

    @model_validator(mode="after")
    def _speaks_of_one_page(self) -> Self:
        if self.app_id is not None and self.app_id == self.page_id:
            raise ValueError("app_id is the app's id, another number than page_id")
        return self

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.facebook.gateway import FacebookGateway

        return FacebookGateway.from_settings(self, context)
