"""aiogram is imported without the validators that nobody asks for, and its types work as they always do."""

import subprocess
import sys

SCRIPT = """
from bot.surfaces.telegram.library import Bot
from aiogram import types
from aiogram.methods.base import Response
from pydantic import BaseModel

models = {one for one in vars(types).values() if isinstance(one, type) and issubclass(one, BaseModel)}
print(len(models) > 300, sum(one.__pydantic_complete__ for one in models) < 20)

question = {"message_id": 5, "date": 1798761590, "chat": {"id": 7, "type": "private"}, "text": "which?"}
poll = {"id": "1", "question": "which?", "type": "regular", "options": [], "total_voter_count": 0, "is_closed": False,
    "is_anonymous": True, "allows_multiple_answers": False, "allows_revoting": False, "members_only": False}
message = question | {"poll": poll, "reply_to_message": question}
update = types.Update.model_validate({"update_id": 1, "message": message})
print(update.message.poll.question, update.message.reply_to_message.chat.id, update.message.date.year)
print(update.model_dump(exclude_none=True, mode="json")["message"]["poll"]["type"])
answer = types.InputTextMessageContent(message_text="hi")
article = types.InlineQueryResultArticle(id="1", title="t", input_message_content=answer)
print(article.input_message_content.message_text)
print(type(Response[list[types.Message]].model_validate({"ok": True, "result": [question]}).result[0]).__name__)

class Ours(BaseModel):
    later: "list[Later]"
class Later(BaseModel):
    word: str
Ours.model_rebuild()
print(Ours.model_validate({"later": [{"word": "ours"}]}).later[0].word)
"""


def test_a_type_is_built_when_it_is_first_used() -> None:
    """Building all 450 at once costs five seconds and a hundred megabytes, in which nobody's bot answers."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60)

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True True", "which? 7 2026", "regular", "hi", "Message", "ours"]


def test_where_somebody_else_has_imported_it_nothing_changes() -> None:
    script = (
        "import aiogram.types as types; import bot.surfaces.telegram.library; print(types.Poll.__pydantic_complete__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert (done.stderr, done.stdout) == ("", "True\n")
