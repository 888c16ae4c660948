"""The admin bot on Slack for the command line: whose token is it, may it do what it does, and does it reach people?"""

from typing import TYPE_CHECKING

from bot.screens import Busy, Unreachable
from bot.surfaces.slack.api import SlackApi, SlackError, TokenDead
from bot.surfaces.slack.rich import escape
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


async def check(bot: "SlackBot", public_url: str | None) -> Account:
    """Who Slack says we are; it does not say which address its app is given. Raises ChannelBroken and Unavailable."""
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
    by = "Socket Mode" if bot.app_token else "HTTP"
    hook = f"{(public_url or '').rstrip('/')}/hooks/bots/slack, if the app's settings say so"
    return Account(
        str(told.get("user_id") or ""),
        f"{told.get('user')} in {told.get('team')}, hears by {by}",
        webhook=None if bot.app_token else hook,
        warnings=tuple(warnings),
    )


async def tell(bot: "SlackBot", account: str, *, words: str) -> str:
    """Write to a person; returns why it was not taken, or ""."""
    api = SlackApi(bot.token.get_secret_value(), bot.api_base)
    await api.open()
    try:
        await api.call("chat.postMessage", channel=account, text=escape(words))
    except SlackError as error:
        return f"Slack did not take it: {error.code}"
    except Unreachable as error:
        return f"Slack did not take it: {error}; is {account} the person's member id?"
    except Busy as busy:
        return f"Slack asks to wait {busy.retry_after_s:g} s"
    finally:
        await api.close()
    return ""
