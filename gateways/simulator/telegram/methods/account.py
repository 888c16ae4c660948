"""Methods about the bot itself: its identity, profile, files, and how it hears updates."""

from typing import Any

from gateways.simulator.telegram.answers import Json, Refusal, Said, bad
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.files import MAX_DOWNLOAD_BYTES
from gateways.simulator.telegram.forms import Call

MAX_POLL_S = 50  # core.telegram.org/bots/api#getupdates
_WEBHOOK_IS_SET = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


def get_me(bot: SimulatedBot, _: Call) -> Json:
    return bot.me_json()


async def get_updates(bot: SimulatedBot, call: Call) -> list[Json]:
    if bot.webhook is not None:
        raise Refusal(409, _WEBHOOK_IS_SET)
    bot.updates.allow(call.nested("allowed_updates"))
    timeout_s = min(max(0, call.number("timeout")), MAX_POLL_S)
    return await bot.updates.poll(call.number("offset"), call.number("limit", 100), timeout_s)


def get_chat(bot: SimulatedBot, call: Call) -> Json:
    chat = bot.find_chat(call.values.get("chat_id"))
    if chat is None:
        raise bad("chat not found")
    return {**chat.chat_json(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": {
        "unlimited_gifts": True, "limited_gifts": True, "unique_gifts": True, "premium_subscription": True,
        "gifts_from_channels": True,
    }}  # fmt: skip


def get_file(bot: SimulatedBot, call: Call) -> Json:
    file = bot.world.files.find(call.text("file_id"))
    if file is None or file.bot_id != bot.bot_id:
        raise bad("invalid file_id")
    if file.size_bytes > MAX_DOWNLOAD_BYTES:
        raise bad("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size_bytes,
        "file_path": file.path,
    }


def set_my_commands(bot: SimulatedBot, call: Call) -> bool:
    commands = call.nested("commands")
    if not isinstance(commands, list) or len(commands) > 100:
        raise bad("can't parse commands JSON object")
    bot.profile.commands[_scope(call)] = commands
    return True


def get_my_commands(bot: SimulatedBot, call: Call) -> list[Json]:
    return bot.profile.commands.get(_scope(call), [])


def delete_my_commands(bot: SimulatedBot, call: Call) -> bool:
    bot.profile.commands.pop(_scope(call), None)
    return True


def _scope(call: Call) -> str:
    scope: Any = call.nested("scope") or {"type": "default"}
    if not isinstance(scope, dict):
        raise bad("can't parse BotCommandScope JSON object")
    return f"{scope.get('type', 'default')}/{scope.get('chat_id', '')}/{call.text('language_code')}"


def profile_setter(name: str) -> Any:
    def set_profile(bot: SimulatedBot, call: Call) -> bool:
        bot.profile.texts[name + call.text("language_code")] = call.text(name)
        return True

    return set_profile


def profile_getter(name: str) -> Any:
    def get_profile(bot: SimulatedBot, call: Call) -> Json:
        return {name: bot.profile.texts.get(name + call.text("language_code"), "")}

    return get_profile


def set_chat_menu_button(bot: SimulatedBot, call: Call) -> bool:
    bot.profile.menu_button = call.nested("menu_button") or {"type": "default"}
    return True


def get_chat_menu_button(bot: SimulatedBot, _: Call) -> Json:
    return bot.profile.menu_button


def log_out(bot: SimulatedBot, _: Call) -> Said:
    return Said(result=True, description=f"Logged out {bot.username}")
