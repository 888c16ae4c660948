"""What `[[channels]]` with provider = "twilio" holds: kind = "whatsapp" and kind = "sms"."""

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context
from gateways.twilio.capabilities import SMS, WHATSAPP

_ACCOUNT = re.compile(r"AC[0-9A-Za-z]{1,64}")
_SERVICE = re.compile(r"MG[0-9A-Za-z]{1,64}")
_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")  # twilio.com/docs/glossary/what-alphanumeric-sender-id
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_TOLL_FREE = re.compile(r"\+18(?:00|33|44|55|66|77|88)[0-9]{7}")


class TwilioSettings(ChannelModel):
    """`sender` or `messaging_service_sid`, or both: that sender of that service."""

    provider: Literal["twilio"] = "twilio"
    account_sid: str
    auth_token: SecretStr = Field(min_length=1)
    sender: str | None = None
    messaging_service_sid: str | None = None
    validity_s: int = Field(default=900, ge=1, le=36_000)  # in Twilio's queue; what is older dies there
    shared_key: SecretStr | None = None  # signs webhooks in place of the auth token where the account has made one
    api_base: ApiBase = "https://api.twilio.com"

    @field_validator("account_sid")
    @classmethod
    def _is_account(cls, value: str) -> str:
        if not _ACCOUNT.fullmatch(value):
            raise ValueError("it is AC and 32 letters and digits, as Twilio's Console shows it")
        return value

    @field_validator("messaging_service_sid")
    @classmethod
    def _is_service(cls, value: str | None) -> str | None:
        if value is not None and not _SERVICE.fullmatch(value):
            raise ValueError("it is MG and 32 letters and digits, as Twilio's Console shows it")
        return value

    @model_validator(mode="after")
    def _has_a_sender(self) -> Self:
        if self.sender is None and self.messaging_service_sid is None:
            raise ValueError("sender or messaging_service_sid must say who sends")
        return self

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.twilio.gateway import TwilioGateway

        return TwilioGateway.from_settings(self, context)


class TwilioWhatsAppSettings(TwilioSettings):
    able: ClassVar[Capabilities] = WHATSAPP

    kind: Literal["whatsapp"] = "whatsapp"

    @field_validator("sender")
    @classmethod
    def _is_phone(cls, value: str | None) -> str | None:
        bare = value.removeprefix("whatsapp:") if value is not None else None
        if bare is not None and not _PHONE.fullmatch(bare):
            raise ValueError("a WhatsApp sender is a phone number such as +447700900900")
        return bare


class TwilioSmsSettings(TwilioSettings):
    """`rate` counts segments a second."""

    able: ClassVar[Capabilities] = SMS

    kind: Literal["sms"] = "sms"

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str | None) -> str | None:
        if value is not None and not any(shape.fullmatch(value) for shape in (_PHONE, _SHORT_CODE, _NAME)):
            raise ValueError("an SMS sender is a phone number such as +447700900900, a short code, or a name up to 11")
        return value

    @property
    def usual_rate(self) -> float:
        """Segments/second of this type of sender; a service is taken for its slowest. What is sent faster waits at
        Twilio, where no pause reaches it. help.twilio.com "Understanding Twilio rate limits", read November 2026."""
        sender = self.sender
        if sender is None:
            return 1.0
        if _TOLL_FREE.fullmatch(sender):
            return 3.0
        if _NORTH_AMERICAN.fullmatch(sender):
            return 1.0
        return self.able.max_rate if _SHORT_CODE.fullmatch(sender) else 10.0
