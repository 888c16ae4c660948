"""What `[[channels]]` with kind = "whatsapp" and provider = "meta" holds."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, field_validator, model_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context, as_id
from gateways.whatsapp.capabilities import WHATSAPP

_TOKEN = re.compile(r"[\x21-\x7e]+")  # it stands in a header
_Number = Annotated[str, BeforeValidator(as_id), StringConstraints(pattern=r"^[0-9]{1,32}$")]


class WhatsAppSettings(ChannelModel):
    """`phone_number_id` sends, `business_account_id` holds the templates; neither is the phone number itself."""

    able: ClassVar[Capabilities] = WHATSAPP

    kind: Literal["whatsapp"] = "whatsapp"
    provider: Literal["meta"] = "meta"
    phone_number_id: _Number
    business_account_id: _Number
    token: SecretStr
    app_secret: SecretStr = Field(min_length=1)
    verify_token: SecretStr = Field(min_length=1)
    api_base: ApiBase = "https://graph.facebook.com/v26.0"

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a system user's token is one word, as Meta's Business settings show it")
        return value

    @model_validator(mode="after")
    def _names_two_things(self) -> Self:
        if self.phone_number_id == self.business_account_id:
            raise ValueError("phone_number_id and business_account_id are two different ids, both in WhatsApp Manager")
        return self

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.whatsapp.gateway import WhatsAppGateway

        return WhatsAppGateway.from_settings(self, context)
