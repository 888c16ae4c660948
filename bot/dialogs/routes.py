"""Where every button, command and answer leads, and the right that each needs."""

from collections.abc import Mapping

from bot.dialogs import (
    about,
    audience,
    buttons,
    channels,
    clients,
    comparing,
    compose,
    constructor,
    home,
    kinds,
    language,
    launch,
    mailings,
    matching,
    people,
    saved,
    segments,
    sending,
    spans,
    speeds,
    stats,
    steering,
    templates,
    through,
    trial,
    upload,
    writing,
)
from bot.dialogs.filtering import filter_answers, filter_presses
from bot.dialogs.talk import Answer, Route, Screens, Talk
from bot.dialogs.targets import DRAFT, SEGMENT


async def _fresh(talk: Talk, *args: str) -> Screens:
    """A draft's cards carry its number and its revision last."""
    return await compose.open_fresh(talk, args[-2])


async def _fresh_audience(talk: Talk, *args: str) -> Screens:
    """The same for cards whose tokens end with a page."""
    return await compose.open_fresh(talk, args[-3])


async def _fresh_segment(talk: Talk, *args: str) -> Screens:
    return await segments.open_segment(talk, args[-2])


async def _fresh_segment_page(talk: Talk, *args: str) -> Screens:
    return await segments.open_segment(talk, args[-3])


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
    "c:only": Route("compose", kinds.turn, "wnn", _fresh),
    "c:all": Route("compose", kinds.export_to_all, "nn", _fresh),
    "t": Route("compose", templates.open_templates, "nn", _fresh),
    "t:list": Route("compose", templates.open_list, "wnnn?", _fresh_list),
    "t:use": Route("compose", templates.use, "wwnn", _fresh),
    "t:field": Route("compose", templates.take_field, "wnn", _fresh),
    "t:bare": Route("compose", templates.without_default, "nn", _fresh),
    "t:back": Route("compose", templates.ask_again, "nn", _fresh),
    "t:drop": Route("compose", templates.drop, "wnn", _fresh),
    **writing.PRESSES,
    # the audience
    "a": Route("compose", audience.open_audience, "nn", _fresh),
    "a:all": Route("compose", audience.everybody, "nn", _fresh),
    "a:count": Route("compose", audience.count_again, "nn", _fresh),
    "a:free": Route("compose", audience.drop_segment, "nn", _fresh),
    "a:terms": Route("compose", audience.open_terms, "nnn", _fresh_audience),
    "a:segs": Route("compose", audience.open_segments, "nnn", _fresh_audience),
    "a:use": Route("compose", audience.use_segment, "wnn", _fresh),
    "a:save": Route("segments", segments.ask_save, "nn", _fresh),
    "a:save!": Route("segments", segments.replace, "nnn", _fresh),
    "a:via": Route("compose", through.open_through, "nn", _fresh),
    "a:via=": Route("compose", through.turn, "wnn", _fresh),
    "a:via+": Route("compose", through.set_routing, "wnn", _fresh),
    "a:file+": Route("compose", upload.open_upload, "nn", _fresh),
    "a:file": Route("compose", upload.open_found, "wnn", _fresh),
    "a:rows": Route("compose", upload.open_rows, "wnnn", _fresh_audience),
    "a:file=": Route("clients", upload.take, "wwnn", _fresh),
    **filter_presses(DRAFT, "compose", _fresh, _fresh_audience),
    "who": Route("look", matching.open_list, "wnw?n?"),
    # segments
    "g": Route("segments", segments.open_segment, "nn"),
    "g:of": Route("segments", segments.open_segment, "n"),
    "g:list": Route("segments", segments.open_list, "n?"),
    "g:new": Route("segments", segments.ask_new),
    "g:count": Route("segments", segments.count_now, "n"),
    "g:mail": Route("compose", segments.ask_mailing, "n"),
    "g:delete?": Route("segments", segments.ask_delete, "n"),
    "g:delete": Route("segments", segments.delete, "n"),
    **filter_presses(SEGMENT, "segments", _fresh_segment, _fresh_segment_page),
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
    "m:found": Route("look", mailings.open_found, "n"),
    "m:old": Route("look", mailings.open_archive, "n?"),
    "m:away": Route("archive", steering.archive, "n"),
    "m:back": Route("archive", steering.bring_back, "n"),
    "m:about": Route("look", about.open_about, "n"),
    "m:see": Route("look", about.see, "n"),
    "m:report": Route("statistics", about.send_report, "n"),
    "m:failed+": Route("look", about.send_failed, "n"),
    "m:slower": Route("speed", speeds.slower, "n"),
    "m:faster": Route("speed", speeds.faster, "n"),
    "m:speeds": Route("speed", speeds.open_speeds, "n"),
    "m:speed": Route("speed", speeds.choose, "nn"),
    "m:stop": Route("stop", steering.stop, "n"),
    "m:go": Route("go", steering.go_on, "n"),
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
    "s:last": Route("statistics", stats.open_last),
    "s:why": Route("statistics", stats.open_reasons, "n"),
    "s:by": Route("statistics", stats.open_channels, "n"),
    "s:file": Route("statistics", stats.send_table, "n"),
    "s:with": Route("statistics", comparing.open_with, "n"),
    "s:two": Route("statistics", comparing.open_pressed, "nn"),
    "s:before": Route("statistics", comparing.open_before, "w"),
    "s:since": Route("statistics", spans.open_period, "w"),
    "s:chan": Route("statistics", spans.open_by_channel, "w"),
    "s:on": Route("statistics", spans.open_channel, "ww"),
    "s:files": Route("statistics", spans.send_tables, "w"),
    "k": Route("clients", clients.open_clients),
    "k:of": Route("clients", clients.open_client, "n"),
    "k:tags": Route("clients", clients.open_tags, "n"),
    "k:tag": Route("clients", clients.tag, "nw"),
    "k:untag": Route("clients", clients.untag, "nw"),
    "k:out": Route("clients", clients.ask_out, "n"),
    "k:out!": Route("clients", clients.opt_out, "nw"),
    "k:why": Route("clients", clients.ask_why, "n"),
    "k:why!": Route("clients", clients.why, "nn"),
    # people
    "p": Route("people", people.open_people),
    "p:of": Route("people", people.open_person, "w"),
    "p:again": Route("people", people.invite_again, "w"),
    "p:role": Route("people", people.set_role, "ww"),
    "p:out?": Route("people", people.ask_remove, "w"),
    "p:out": Route("people", people.remove, "w"),
    "p:new": Route("people", people.open_invite),
    "p:role!": Route("people", people.choose_role, "w"),
    "p:revoke": Route("people", people.revoke, "n", people.open_people),
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
    "pieces": Route("compose", constructor.open_by_command),
    "saved": Route("compose", saved.open_by_command),
    "audience": Route("compose", audience.open_by_command),
    "segments": Route("segments", segments.by_command),
    "send": Route("compose", sending.open_by_command),
    "test": Route("test", trial.open_test_by_command),
    "check": Route("compose", launch.check_by_command),
    "launch": Route("launch", steering.launch_by_command),
    "pause": Route("pause", steering.by_command("pause", steering.pause)),
    "resume": Route("resume", steering.by_command("resume", steering.resume)),
    "slower": Route("speed", steering.by_command("slower", speeds.slower)),
    "faster": Route("speed", steering.by_command("faster", speeds.faster)),
    "speed": Route("speed", speeds.by_command(steering.by_command("speed", speeds.open_speeds))),
    "archive": Route("archive", mailings.archive_by_command),
    "report": Route("statistics", steering.by_list("report", about.send_report)),
    "cancel": Route("cancel", steering.by_command("cancel", steering.ask_cancel)),
    "copy": Route("copy", steering.by_list("copy", steering.copy)),
    "edit": Route("compose", steering.by_list("edit", steering.edit)),
    "delete": Route("delete", steering.by_list("delete", steering.ask_delete)),
    "failed": Route("look", steering.by_list("failed", steering.open_failed)),
    "unknown": Route("look", steering.by_list("unknown", steering.open_unknown)),
    "stats": Route("statistics", stats.by_command),
    "clients": Route("clients", clients.by_command),
    "why": Route("clients", clients.why_by_command),
    "people": Route("people", people.open_people),
    "invite": Route("people", people.invite_by_command),
    "join": Route("statistics", people.join_by_command),
    "channels": Route("look", channels.open_channels),
    "topup": Route("topup", channels.top_up_by_command),
}

ANSWERS: Mapping[str, Answer] = {
    "c.first": Answer("compose", compose.hear_first),
    "c.more": Answer("compose", compose.hear_more, _fresh),
    "c.edit": Answer("compose", compose.hear_edit, _fresh),
    "c.name": Answer("compose", compose.hear_name, _fresh),
    "c.who": Answer("compose", compose.hear_who, _fresh),
    **writing.ANSWERS,
    "a.typed": Answer("compose", audience.hear_typed, _fresh),
    "a.segment": Answer("compose", audience.hear_segment, _fresh),
    "a.save": Answer("segments", segments.hear_save, _fresh),
    "a.file": Answer("compose", upload.hear_file, _fresh),
    **filter_answers(DRAFT, "compose", _fresh),
    "who.find": Answer("look", matching.hear_find),
    "g.search": Answer("segments", segments.hear_search),
    "g.new": Answer("segments", segments.hear_new),
    "g.message": Answer("compose", segments.hear_message),
    **filter_answers(SEGMENT, "segments", _fresh_segment),
    "l.typed": Answer("compose", sending.hear_typed, _fresh),
    "l.address": Answer("test", trial.hear_address, _fresh),
    "m.search": Answer("look", mailings.hear_search),
    "s.which": Answer("statistics", stats.hear_which),
    "k.find": Answer("clients", clients.hear_find),
    "k.tag": Answer("clients", clients.hear_tag),
    "k.why": Answer("clients", clients.hear_why),
    "p.name": Answer("people", people.hear_name),
    "t.value": Answer("compose", templates.hear_value, _fresh),
    "t.default": Answer("compose", templates.hear_default, _fresh),
    "ch.top": Answer("topup", channels.hear_top_up),
}

# The card to go back to from a question, by the first letter of the question's name.
BACK: Mapping[str, str] = {"c": "c:m", "b": "b", "a": "a", "l": "l", "t": "t", "g": "g"}
