"""Where every button, command and answer leads, and the right that each needs."""

from collections.abc import Mapping

from bot.dialogs import (
    audience,
    buttons,
    channels,
    clients,
    compose,
    home,
    kinds,
    language,
    launch,
    mailings,
    sending,
    stats,
    steering,
    templates,
    trial,
)
from bot.dialogs.talk import Answer, Route, Screens, Talk


async def _fresh(talk: Talk, *args: str) -> Screens:
    """A draft's cards carry its number and its revision last."""
    return await compose.open_fresh(talk, args[-2])


async def _fresh_audience(talk: Talk, *args: str) -> Screens:
    """The same for cards whose tokens end with a page."""
    return await compose.open_fresh(talk, args[-3])


async def _fresh_list(talk: Talk, _kind: str, mailing_id: str, *_rest: str) -> Screens:
    return await compose.open_fresh(talk, mailing_id)


async def _fresh_check(talk: Talk, *args: str) -> Screens:
    return await launch.open_fresh_check(talk, args[-2])


PRESSES: Mapping[str, Route] = {
    "h": Route("statistics", home.open_home),
    "h:help": Route("statistics", home.open_help),
    "lang": Route("statistics", language.open_language),
    "lang:is": Route("statistics", language.choose, "w"),
    "stop": Route("stop", home.stop_all),
    "go": Route("go", home.go_on),
    "now": Route("look", mailings.open_now),
    # the message
    "c:new": Route("compose", compose.open_new),
    "c:m": Route("compose", compose.open_message, "nn", _fresh),
    "c:edit": Route("compose", compose.open_edit, "nn", _fresh),
    "c:heard": Route("compose", compose.use_heard, "wn?n?", _fresh),
    "c:name": Route("compose", compose.open_name, "nn", _fresh),
    "c:see": Route("compose", compose.see, "nn", _fresh),
    "c:who": Route("compose", compose.open_who, "nn", _fresh),
    "c:leave": Route("compose", compose.leave, "n?"),
    "c:kinds": Route("compose", kinds.open_kinds, "nn", _fresh),
    "c:only": Route("compose", kinds.only_for, "wnn", _fresh),
    "c:all": Route("compose", kinds.export_to_all, "nn", _fresh),
    "t": Route("compose", templates.open_templates, "nn", _fresh),
    "t:list": Route("compose", templates.open_list, "wnnn?", _fresh_list),
    "t:use": Route("compose", templates.use, "wwnn", _fresh),
    "t:field": Route("compose", templates.take_field, "wnn", _fresh),
    "t:bare": Route("compose", templates.without_default, "nn", _fresh),
    "t:back": Route("compose", templates.ask_again, "nn", _fresh),
    "t:drop": Route("compose", templates.drop, "wnn", _fresh),
    "b": Route("compose", buttons.open_buttons, "nn", _fresh),
    "b:label": Route("compose", buttons.ask_label, "wnn", _fresh),
    "b:cut": Route("compose", buttons.cut, "nnn", _fresh),
    # the audience
    "a": Route("compose", audience.open_audience, "nn", _fresh),
    "a:all": Route("compose", audience.everybody, "nn", _fresh),
    "a:cut": Route("compose", audience.cut, "nnn", _fresh),
    "a:free": Route("compose", audience.drop_segment, "nn", _fresh),
    "a:tags": Route("compose", audience.open_tags, "nnn?", _fresh_audience),
    "a:tag": Route("compose", audience.turn_tag, "wnnn?", _fresh_audience),
    "a:if": Route("compose", audience.open_conditions, "nn", _fresh),
    "a:lang": Route("compose", audience.open_languages, "nn", _fresh),
    "a:chan": Route("compose", audience.open_channels, "nn", _fresh),
    "a:chan=": Route("compose", audience.add_channel, "wnn", _fresh),
    "a:seen": Route("compose", audience.open_seen, "nn", _fresh),
    "a:lang=": Route("compose", audience.add_language, "wnn", _fresh),
    "a:days": Route("compose", audience.add_days, "nnn", _fresh),
    "a:attr": Route("compose", audience.open_attribute, "wnn", _fresh),
    "a:segs": Route("compose", audience.open_segments, "nn", _fresh),
    "a:use": Route("compose", audience.use_segment, "wnn", _fresh),
    # the launch
    "l": Route("compose", sending.open_sending, "nn", _fresh),
    "l:speed": Route("compose", sending.set_speed, "nnn", _fresh),
    "l:now": Route("compose", sending.set_now, "nn", _fresh),
    "l:when": Route("compose", sending.ask_when, "nn", _fresh),
    "l:zone": Route("compose", sending.turn_zone, "nn", _fresh),
    "l:test": Route("test", trial.open_test, "nn", _fresh),
    "l:to": Route("test", trial.send_test_by_channel, "nnn", _fresh),
    "l:check": Route("compose", launch.open_check, "nn", _fresh_check),
    "l:go": Route("launch", launch.go, "nn", _fresh_check),
    # mailings
    "m:list": Route("look", mailings.open_list, "n?"),
    "m:open": Route("look", mailings.open_mailing, "n"),
    "m:pause": Route("pause", steering.pause, "n"),
    "m:resume": Route("resume", steering.resume, "n"),
    "m:slower": Route("speed", steering.slower, "n"),
    "m:faster": Route("speed", steering.faster, "n"),
    "m:cancel?": Route("cancel", steering.ask_cancel, "n"),
    "m:cancel": Route("cancel", steering.cancel, "n"),
    "m:copy": Route("copy", steering.copy, "n"),
    "m:edit": Route("compose", steering.edit, "n"),
    "m:delete?": Route("delete", steering.ask_delete, "n"),
    "m:delete": Route("delete", steering.delete, "n"),
    "m:again?": Route("launch", steering.ask_again, "n"),
    "m:again": Route("launch", steering.again, "nn", mailings.open_mailing),
    "m:failed": Route("look", steering.open_failed, "nn?"),
    "m:unknown": Route("look", steering.open_unknown, "n"),
    "m:repeat": Route("repeat", steering.repeat_unknown, "n"),
    # numbers, clients, channels
    "s": Route("statistics", stats.open_stats, "n?"),
    "s:of": Route("statistics", stats.open_of, "n"),
    "s:since": Route("statistics", stats.open_period, "w"),
    "k": Route("clients", clients.open_clients),
    "k:of": Route("clients", clients.open_client, "n"),
    "k:tags": Route("clients", clients.open_tags, "n"),
    "k:tag": Route("clients", clients.tag, "nw"),
    "k:untag": Route("clients", clients.untag, "nw"),
    "k:out": Route("clients", clients.ask_out, "n"),
    "k:out!": Route("clients", clients.opt_out, "nw"),
    "k:why": Route("clients", clients.ask_why, "n"),
    "k:why!": Route("clients", clients.why, "nn"),
    "ch": Route("look", channels.open_channels),
    "ch:top": Route("topup", channels.ask_top_up, "w"),
    "ch:ask": Route("resume", channels.ask_all),
}

COMMANDS: Mapping[str, Route] = {
    "start": Route("statistics", home.open_home),
    "menu": Route("statistics", home.open_home),
    "help": Route("statistics", home.open_help),
    "language": Route("statistics", language.open_language),
    "stop": Route("stop", home.stop_all),
    "go": Route("go", home.go_on),
    "now": Route("look", mailings.open_now),
    "new": Route("compose", compose.open_new),
    "mailings": Route("look", mailings.list_by_command),
    "preview": Route("compose", compose.open_by_command),
    "buttons": Route("compose", buttons.open_by_command),
    "audience": Route("compose", audience.open_by_command),
    "send": Route("compose", sending.open_by_command),
    "test": Route("test", trial.open_test_by_command),
    "check": Route("compose", launch.check_by_command),
    "launch": Route("launch", steering.launch_by_command),
    "pause": Route("pause", steering.by_command("pause", steering.pause)),
    "resume": Route("resume", steering.by_command("resume", steering.resume)),
    "slower": Route("speed", steering.by_command("slower", steering.slower)),
    "faster": Route("speed", steering.by_command("faster", steering.faster)),
    "cancel": Route("cancel", steering.by_command("cancel", steering.ask_cancel)),
    "copy": Route("copy", steering.by_list("copy", steering.copy)),
    "edit": Route("compose", steering.by_list("edit", steering.edit)),
    "delete": Route("delete", steering.by_list("delete", steering.ask_delete)),
    "failed": Route("look", steering.by_list("failed", steering.open_failed)),
    "unknown": Route("look", steering.by_list("unknown", steering.open_unknown)),
    "stats": Route("statistics", stats.by_command),
    "clients": Route("clients", clients.by_command),
    "why": Route("clients", clients.why_by_command),
    "channels": Route("look", channels.open_channels),
    "topup": Route("topup", channels.top_up_by_command),
}

ANSWERS: Mapping[str, Answer] = {
    "c.first": Answer("compose", compose.hear_first),
    "c.more": Answer("compose", compose.hear_more, _fresh),
    "c.edit": Answer("compose", compose.hear_edit, _fresh),
    "c.name": Answer("compose", compose.hear_name, _fresh),
    "c.who": Answer("compose", compose.hear_who, _fresh),
    "b.lines": Answer("compose", buttons.hear_lines, _fresh),
    "b.label": Answer("compose", buttons.hear_label, _fresh),
    "b.target": Answer("compose", buttons.hear_target, _fresh),
    "a.typed": Answer("compose", audience.hear_typed, _fresh),
    "a.seen": Answer("compose", audience.hear_seen, _fresh),
    "a.value": Answer("compose", audience.hear_value, _fresh),
    "l.typed": Answer("compose", sending.hear_typed, _fresh),
    "l.address": Answer("test", trial.hear_address, _fresh),
    "m.search": Answer("look", mailings.hear_search),
    "s.which": Answer("statistics", stats.hear_which),
    "k.find": Answer("clients", clients.hear_find),
    "k.tag": Answer("clients", clients.hear_tag),
    "k.why": Answer("clients", clients.hear_why),
    "t.value": Answer("compose", templates.hear_value, _fresh),
    "t.default": Answer("compose", templates.hear_default, _fresh),
    "ch.top": Answer("topup", channels.hear_top_up),
}

# The card to go back to from a question, by the first letter of the question's name.
BACK: Mapping[str, str] = {"c": "c:m", "b": "b", "a": "a", "l": "l", "t": "t"}
