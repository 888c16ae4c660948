"""Where the buttons and the answers of writing a template lead."""

from collections.abc import Mapping

from bot.dialogs import template_buttons, template_list, template_steps, template_writing
from bot.dialogs.talk import Answer, Route, Screens, Talk


async def _fresh(talk: Talk, *args: str) -> Screens:
    """A template's cards carry its number and its revision last."""
    return await template_writing.open_one(talk, args[-2])


async def _fresh_asked(talk: Talk, template_id: str, *_args: str) -> Screens:
    """A question carries it first."""
    return await template_writing.open_one(talk, template_id)


PRESSES: Mapping[str, Route] = {
    "w": Route("compose", template_list.open_templates),
    "w:list": Route("compose", template_list.open_list, "wn?"),
    "w:one": Route("compose", template_list.open_listed, "ww"),
    "w:new": Route("compose", template_steps.open_new, "w"),
    "w:of": Route("compose", template_writing.open_one, "n"),
    "w:next": Route("compose", template_steps.go_on, "nn", _fresh),
    "w:ask": Route("compose", template_steps.ask, "wnn", _fresh),
    "w:take": Route("compose", template_steps.take_name, "nn", _fresh),
    "w:lang": Route("compose", template_steps.set_language, "wnn", _fresh),
    "w:cat": Route("compose", template_steps.set_category, "wnn", _fresh),
    "w:none": Route("compose", template_steps.without, "wnn", _fresh),
    "w:eg": Route("compose", template_steps.open_examples, "nn", _fresh),
    "w:eg=": Route("compose", template_steps.ask_example, "nnn", _fresh),
    "w:eg!": Route("compose", template_steps.take_example, "nnn", _fresh),
    "w:field": Route("compose", template_steps.open_fields, "nn", _fresh),
    "w:put": Route("compose", template_steps.ask_where, "wnn", _fresh),
    "w:btns": Route("compose", template_buttons.open_buttons, "nn", _fresh),
    "w:bnew": Route("compose", template_buttons.ask_label, "wnn", _fresh),
    "w:bcut": Route("compose", template_buttons.cut, "nnn", _fresh),
    "w:see": Route("compose", template_writing.see, "n"),
    "w:like": Route("compose", template_writing.write_alike, "n"),
    "w:go?": Route("compose", template_writing.ask_submit, "nn", _fresh),
    "w:go": Route("compose", template_writing.submit, "nn", _fresh),
    "w:cut?": Route("compose", template_writing.ask_delete, "nn", _fresh),
    "w:cut": Route("compose", template_writing.delete, "nn", _fresh),
}

ANSWERS: Mapping[str, Answer] = {
    "w.name": Answer("compose", template_steps.hear_name, _fresh_asked),
    "w.language": Answer("compose", template_steps.hear_language, _fresh_asked),
    "w.body": Answer("compose", template_steps.hear_body, _fresh_asked),
    "w.head": Answer("compose", template_steps.hear_head, _fresh_asked),
    "w.footer": Answer("compose", template_steps.hear_footer, _fresh_asked),
    "w.eg": Answer("compose", template_steps.hear_example, _fresh_asked),
    "w.put": Answer("compose", template_steps.hear_where, _fresh_asked),
    "w.label": Answer("compose", template_buttons.hear_label, _fresh_asked),
    "w.target": Answer("compose", template_buttons.hear_target, _fresh_asked),
    "w.end": Answer("compose", template_buttons.hear_end, _fresh_asked),
}

# The card to go back to from a question; its token takes the template's number.
BACK_TO: Mapping[str, str] = dict.fromkeys(ANSWERS, "w:of")
