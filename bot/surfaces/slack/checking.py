"""`carillon check` for the admin bot on Slack: whose token is it, and may it do what it does?"""

from typing import TYPE_CHECKING

from bot.screens import Busy, Unreachable
from bot.surfaces.slack.api import SlackApi, SlackError, TokenDead
from gateways.base import Account, ChannelBroken, Unavailable

if TYPE_CHECKING:
    from bot.config_models import SlackBot

# docs.slack.dev/reference/scopes, November 2026
SCOPES = (
    "commands",
    "chat:write",
    "im:write",
    "im:history",
    "files:write",
    "files:read",
    "app_mentions:read",
    "users:read",
)


async def check(bot: "SlackBot") -> Account:
    """Who Slack says we are. Raises ChannelBroken and Unavailable."""
    api = SlackApi(bot.token.get_secret_value(), bot.api_base)
    await api.open()
    try:
        told, scopes = await api.who_am_i()
        if bot.app_token is not None:
            await api.open_socket_url(bot.app_token.get_secret_value())
    except TokenDead as error:
        raise ChannelBroken("Slack refuses the token", code=error.code) from error
    except SlackError as error:
        raise Unavailable(f"Slack does not answer: {error.code}", code=error.code) from error
    except (Busy, Unreachable) as error:
        raise Unavailable("Slack asks to wait") from error
    finally:
        await api.close()
    missing = [scope for scope in SCOPES if scope not in scopes] if scopes else []
    warnings = [f"the app lacks the scopes {', '.join(missing)}: add them and install it again"] if missing else []
    hears = "Socket Mode" if bot.app_token else "HTTP; Slack does not tell which address is set"
    name = f"{told.get('user')} in {told.get('team')}, hears by {hears}"
    return Account(
        str(told.get("user_id") or ""), name, warnings=tuple(warnings), link=str(told.get("url") or "") or None
    )
