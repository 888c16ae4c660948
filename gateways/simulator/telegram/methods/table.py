"""Every method that the simulator answers, under the name that Telegram writes."""

from collections.abc import Awaitable, Callable

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.forms import Call
from gateways.simulator.telegram.methods import account, editing, hooks, sending

Method = Callable[[SimulatedBot, Call], object | Awaitable[object]]

# They put messages into a chat: budgets, upload penalties and "401 from message N on" count them.
SENDING: dict[str, Method] = {
    "sendMessage": sending.send_message,
    "sendPhoto": sending.media_sender("photo"),
    "sendVideo": sending.media_sender("video"),
    "sendAnimation": sending.media_sender("animation"),
    "sendDocument": sending.media_sender("document"),
    "sendAudio": sending.media_sender("audio"),
    "sendVoice": sending.media_sender("voice"),
    "sendVideoNote": sending.media_sender("video_note"),
    "sendSticker": sending.media_sender("sticker"),
    "sendMediaGroup": sending.send_media_group,
    "sendLocation": sending.send_location,
    "sendVenue": sending.send_venue,
    "sendContact": sending.send_contact,
    "copyMessage": sending.copy_message,
    "copyMessages": sending.copy_messages,
}

OTHER: dict[str, Method] = {
    "getMe": account.get_me,
    "getUpdates": account.get_updates,
    "getChat": account.get_chat,
    "getFile": account.get_file,
    "editMessageText": editing.edit_message_text,
    "editMessageCaption": editing.edit_message_caption,
    "editMessageMedia": editing.edit_message_media,
    "editMessageReplyMarkup": editing.edit_message_reply_markup,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "answerCallbackQuery": editing.answer_callback_query,
    "sendChatAction": editing.send_chat_action,
    "setWebhook": hooks.set_webhook,
    "deleteWebhook": hooks.delete_webhook,
    "getWebhookInfo": hooks.get_webhook_info,
    "setMyCommands": account.set_my_commands,
    "getMyCommands": account.get_my_commands,
    "deleteMyCommands": account.delete_my_commands,
    "setMyName": account.profile_setter("name"),
    "getMyName": account.profile_getter("name"),
    "setMyDescription": account.profile_setter("description"),
    "getMyDescription": account.profile_getter("description"),
    "setMyShortDescription": account.profile_setter("short_description"),
    "getMyShortDescription": account.profile_getter("short_description"),
    "setChatMenuButton": account.set_chat_menu_button,
    "getChatMenuButton": account.get_chat_menu_button,
    "logOut": account.log_out,
}

METHODS = {name.lower(): (name, method, name in SENDING) for name, method in (SENDING | OTHER).items()}
