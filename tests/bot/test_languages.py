"""The bot in three languages: its lists are whole, each person is spoken to in their own, and is understood in it."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.dialogs import conditions, spoken
from bot.dialogs.home import COMMANDS
from bot.dialogs.talk import House
from bot.languages import LANGUAGES, TRANSLATED, locale_for, retold
from bot.people import Everybody
from bot.progress import LiveCards
from bot.screens import Command, Event, Press, Said, Screen
from bot.surfaces.console.words import page_words
from bot.surfaces.telegram.events import read_update
from bot.texts import Html, Texts
from engine.errors import Invalid
from engine.moves import Moves
from engine.schedule import spelled
from gateways.markup import read_html
from storage.records import Status
from tests.bot.chat import PEOPLE, Chat
from tests.bot.conftest import ZONE, Desk

# --- numbers, dates, spans ---

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "count", "shown"),
    [
        ("ru", 1, "1 клиент"),
        ("ru", 3, "3 клиента"),
        ("ru", 11, "11 клиентов"),
        ("ru", 40_000, "40\u00a0000 клиентов"),
        ("uk", 1, "1 клієнт"),
        ("uk", 22, "22 клієнти"),
        ("uk", 5, "5 клієнтів"),
    ],
)
def test_plurals_follow_the_number(language: str, count: int, shown: str) -> None:
    assert Texts(language).plural("<b>{count} client</b>", "<b>{count} clients</b>", count) == f"<b>{shown}</b>"


@pytest.mark.parametrize(
    ("language", "moment", "span", "ago"),
    [
        ("en", "Sat, 21 Nov 2026, 11:00 (Europe/Kyiv)", "1 h 5 min", "3 h ago"),
        ("ru", "сб, 21 нояб. 2026, 11:00 (Europe/Kyiv)", "1 ч 5 мин", "3 ч назад"),
        ("uk", "сб, 21 лист. 2026, 11:00 (Europe/Kyiv)", "1 год 5 хв", "3 год тому"),
    ],
)
def test_times_are_written_as_the_language_writes_them(language: str, moment: str, span: str, ago: str) -> None:
    t = Texts(language, ZONE)
    assert t.moment(AT) == moment
    assert t.span(3930) == span
    assert t.ago(AT, AT + timedelta(hours=3)) == ago


def test_reasons_are_counted_as_the_language_counts_them() -> None:
    amounts = {"blocked": 1, "unsubscribed": 12, "some_new_reason": 0}
    assert Texts("en").reasons(amounts) == "12 unsubscribed, 1 blocked us"
    assert Texts("ru").reasons(amounts) == "отписка — 12, блокировка — 1"


def test_a_refusal_says_its_moments_and_states_in_the_language() -> None:
    t = Texts("uk", ZONE)
    past = Invalid("{start} is past already; it is {now} now.", start=spelled(AT, ZONE), now=spelled(AT, ZONE))
    assert "сб, 21 лист. 2026, 11:00 (Europe/Kyiv, UTC+2) уже минуло" in t.error(past)
    assert t.error(Invalid("“{name}” is {status} already.", name="draft", status="sent")) == "«draft» уже завершено."
    assert t("Why: {why}", why=Html("<b>x</b>")) == "Причина: <b>x</b>"
    sign = Invalid("“{field}” can't be compared by “{comparison}”.", field="id", comparison="lt")
    assert t.error(sign) == "«id» не можна порівнювати через «&lt;»."
    nobody = "{audience} match and none of them can be reached: {reasons}."
    assert "відписка — 2, блокування — 1." in t.error(
        Invalid(nobody, audience=3, reasons={"blocked": 1, "unsubscribed": 2})
    )


# --- what was kept in English ---


@pytest.mark.parametrize(
    ("words", "language", "told"),
    [
        ("paused by Olha", "ru", "пауза — Olha"),
        ("cancelled by Menu", "uk", "скасування — Menu"),
        ("17 of the last 40 failed", "ru", "с ошибкой 17 из последних 40"),
        ("tg-shop: the message is not the one that was launched", "uk", "tg-shop: повідомлення не те, яке запускали"),
        (
            "Meta refuses the Page token: it expired or was revoked; make a new one (Session has expired)",
            "ru",
            "Meta не принимает токен страницы: он истёк или отозван; сделайте новый (Session has expired)",
        ),
        (
            "Telegram could not reach the webhook: Connection refused",
            "uk",
            "Telegram не достукався до вебхука: Connection refused",
        ),
        ("wa: the template “sale” is paused", "uk", "wa: шаблон «sale» на паузі"),
        ("Bad Request: message text is empty", "ru", "Bad Request: message text is empty"),
        ("paused by Olha", "en", "paused by Olha"),
    ],
)
def test_what_was_kept_in_english_is_told_in_the_language(words: str, language: str, told: str) -> None:
    assert retold(words, language) == told


# --- whose language it is ---


def test_a_messengers_code_names_a_language_of_ours_or_none() -> None:
    assert [locale_for(code, "en") for code in ("uk", "ru-RU", "en_GB", "de", "", None)] == [
        "uk",
        "ru",
        "en",
        *["en"] * 3,
    ]


def test_telegram_tells_the_language_with_messages_and_presses() -> None:
    person = {"id": 1001, "is_bot": False, "first_name": "Olha", "language_code": "uk"}
    chat = {"id": 1001, "type": "private"}
    message = {"message_id": 5, "date": 1, "chat": chat, "from": person, "text": "/start"}
    press = {"id": "9", "from": person, "chat_instance": "1", "data": "h", "message": message}
    for update in ({"update_id": 1, "message": message}, {"update_id": 2, "callback_query": press}):
        heard = read_update(update)
        assert heard is not None
        assert heard.language == "uk"


async def _hear(desk: Desk, what: Command | Press | Said, key: str, language: str = "") -> list[Screen]:
    conversation = desk.chat().conversation
    return await conversation.handle(Event("telegram", "1001", "1001", key, what, language=language))


async def test_the_messengers_language_counts_until_the_person_chooses(desk: Desk) -> None:
    (first,) = await _hear(desk, Command("start"), "1", "ru")
    assert "Здравствуйте, Olha" in first.text
    (chosen,) = await _hear(desk, Press("lang:is:uk"), "2", "ru")
    assert "Тепер я говорю з вами українською." in chosen.text
    (again,) = await _hear(desk, Command("start"), "3", "ru")  # a fresh process, and the messenger says the same
    assert "Вітаю, Olha" in again.text


async def test_a_language_that_we_do_not_speak_is_answered_in_the_houses(desk: Desk) -> None:
    (screen,) = await _hear(desk, Command("start"), "1", "de")
    assert "Hello, Olha" in screen.text
    assert await desk.store.preferences.languages() == {}


async def test_a_stranger_is_turned_away_in_their_own_language(desk: Desk) -> None:
    event = Event("telegram", "666", "666", "1", Command("start"), language="uk")
    (screen,) = await desk.chat().conversation.handle(event)
    assert screen.text.startswith("Вибачте, я працюю лише для команди")


async def test_a_language_is_chosen_by_a_button_a_command_or_a_word(desk: Desk) -> None:
    chat = desk.chat()
    await chat.say("/start")
    await chat.press("🌐 Language")
    chat.sees("Which language")
    assert chat.labels() == ["✓ English", "Русский", "Українська", "Menu"]
    await chat.press("Русский")
    chat.sees("Теперь я говорю с вами по-русски.", "Здравствуйте, Olha!")
    await chat.say("/language українська")
    chat.sees("Тепер я говорю з вами українською.")
    await chat.say("мова")
    chat.sees("Якою мовою")
    await chat.say("/language klingon")
    chat.sees("Я говорю цими мовами: English, Русский, Українська")


async def test_announcements_go_to_each_in_their_language_and_to_the_team_in_the_houses(shop: Desk) -> None:
    chat = await _speaking(shop, "uk")
    await _compose(chat, "Autumn sale")
    await chat.say("/check")
    await chat.press("🚀")
    (mailing,) = await shop.operations.active()
    await Moves(shop.store, shop.clock).interrupt(mailing.id, "failures", "17 of the last 40 failed")
    surface = _Heard()
    people = Everybody(PEOPLE, shop.store)
    await people.load()
    cards = LiveCards(
        operations=shop.operations,
        store=shop.store,
        surfaces={"telegram": surface},
        people=people,
        settings=shop.settings,
        house=House(name="Acme", locale="ru"),
        clock=shop.clock,
        team_chats={"telegram": "-100"},
    )
    await cards.tick()
    shown = {chat: read_html(screen.text).text for chat, screen in surface.shown}
    assert "зупинилася сама" in shown["1001"]
    assert "Причина: з помилкою 17 з останніх 40" in shown["1001"]
    assert "Причина: с ошибкой 17 из последних 40" in shown["-100"]


class _Heard:
    """A surface that remembers what was shown where."""

    name = "telegram"

    def __init__(self) -> None:
        self.shown: list[tuple[str, Screen]] = []

    async def show(self, chat: str, screen: Screen) -> str:
        self.shown.append((chat, screen))
        return str(len(self.shown))

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        return message_id


# --- a chat, in each language ---

WORDS = {
    "en": {"name": "Autumn", "buttons": "Open - https://acme.test", "when": "tomorrow 10:00", "speed": "10 a second",
           "last": "How did yesterday's go?", "yes": "yes", "no": "no", "back": "back", "stop": "stop", "menu": "menu"},
    "ru": {"name": "Осень", "buttons": "Открыть - https://acme.test", "when": "завтра 10:00", "speed": "10 в секунду",
           "last": "Как прошла вчерашняя?", "yes": "да", "no": "нет", "back": "назад", "stop": "стоп", "menu": "меню"},
    "uk": {"name": "Осінь", "buttons": "Відкрити - https://acme.test", "when": "завтра о 10:00",
           "speed": "10 за секунду",
           "last": "Як пройшла вчорашня?", "yes": "так", "no": "ні", "back": "назад", "stop": "стоп", "menu": "меню"},
}  # fmt: skip


async def _speaking(desk: Desk, language: str, name: str = "Olha") -> Chat:
    chat = desk.chat(name)
    await chat.say("/start")
    await chat.press_token(f"lang:is:{language}")
    return chat


async def _compose(chat: Chat, text: str) -> None:
    await chat.say("/new")
    await chat.say(text)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_mailing_from_its_message_to_its_launch(shop: Desk, language: str) -> None:
    said, t = WORDS[language], Texts(language, ZONE)
    chat = await _speaking(shop, language)
    await _compose(chat, "{{ client.first_name }}, 20 %!")
    chat.sees(t.plain("Saved as a draft: it stays in /mailings whatever happens."))
    await chat.press(t.plain("Rename"))
    await chat.say(said["name"])
    await chat.press(t.plain("Add buttons"))
    await chat.say(said["buttons"])
    await chat.say(said["back"])
    chat.sees(f"{said['name']} · ")
    await chat.press(t.plain("Next: audience ▶"))
    await chat.say({"en": "city is not Kyiv", "ru": "city не Kyiv", "uk": "city не Kyiv"}[language])
    chat.sees({"en": "City is not Kyiv", "ru": "City не Kyiv", "uk": "City не Kyiv"}[language])
    await chat.press(t.plain("Next: when and how fast ▶"))
    await chat.say(said["when"])
    chat.sees(t.local(datetime(2026, 11, 22, 10, 0, tzinfo=UTC)))
    await chat.say(said["speed"])
    await chat.press(t.plain("Now"))
    await chat.press(t.plain("Next: check ▶"))
    chat.sees(t.plain_plural("🚀 Send to {count} client", "🚀 Send to {count} clients", 9)[2:].strip()[:5])
    await chat.press("🚀")
    chat.sees(said["name"], t.plain("The audience is being formed…"))
    await chat.press(t.plain("✖ Cancel"))
    await chat.say(said["no"])
    (mailing,) = await shop.operations.active()
    assert mailing.status is Status.SENDING
    await chat.press(t.plain("✖ Cancel"))
    await chat.say(said["yes"])
    assert (await shop.operations.get(mailing.id)).status is Status.CANCELLED
    await shop.clock.advance(timedelta(days=1).total_seconds())
    await chat.say(said["menu"])
    await chat.say(said["last"])
    chat.sees(said["name"], t.plain("Delivered"), t.plain("Audience"))
    await chat.say(said["stop"])
    assert await shop.operations.stopped() is not None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_manager_asks_for_numbers(shop: Desk, language: str) -> None:
    chat = await _speaking(shop, language, "Maria")
    t = Texts(language)
    for words in ("week", "неделя", "тиждень", "статистика за неделю", "цифри за тиждень", "how did this week go?"):
        await chat.say(words)
        chat.sees(t.plain("Last 7 days"), t.plain("No mailing was launched in this time."))
    await chat.say({"en": "yesterday", "ru": "вчера", "uk": "вчора"}[language])
    chat.sees(t.plain("No mailing was started yesterday."))


def test_a_message_is_no_question() -> None:
    for words in ("Today only: 20 % off", "Сегодня скидки", "Як справи, друже? Знижки!", "все на распродажу", ""):
        assert spoken.time_of(words) is None


def test_the_rooms_of_the_menu_are_called_by_their_words() -> None:
    for words, command in {
        "Шаблоны": "templates", "погодження": "approval", "Люди": "people", "акаунти": "accounts", "архив": "archive",
        "збережені": "saved", "дайджест": "digest", "сегменти": "segments", "отдел": None,
    }.items():  # fmt: skip
        assert spoken.command_of(words, []) == command
    assert spoken.command_of("люди", ["c.name"]) is None
    assert spoken.command_of("стоп", ["af.text"]) is None


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("plan не free", {"field": "plan", "is_not": "free"}),
        ("plan больше 100", {"field": "plan", "gt": 100}),
        ("plan не більше 5", {"field": "plan", "lte": 5}),
        ("plan містить б", {"field": "plan", "contains": "б"}),
        ("last_seen за последние 30 дней", {"field": "last_seen", "within_days": 30}),
        ("last_seen за останні 7 днів", {"field": "last_seen", "within_days": 7}),
        ("last seen not within 30 days", {"field": "last_seen", "not_within_days": 30}),
        ("last_seen не за останні 7 днів", {"field": "last_seen", "not_within_days": 7}),
        ("язык = en", {"field": "language", "is": "en"}),
        ("ім’я містить Ан", {"field": "first_name", "contains": "Ан"}),
        ("остання активність за 7 днів", {"field": "last_seen", "within_days": 7}),
        ("plan не равно free", {"field": "plan", "is_not": "free"}),
        ("plan — free", {"field": "plan", "is": "free"}),
        ("plan від 100 до 500", {"field": "plan", "between": [100, 500]}),
        ("plan is from 100 to 500", {"field": "plan", "between": [100, 500]}),
        ("phone is not known", {"field": "phone", "unknown": True}),
        ("телефон известно", {"field": "phone", "known": True}),
        ("пошта невідомо", {"field": "email", "unknown": True}),
        ("last_seen after 2026-11-21", {"field": "last_seen", "gt": "2026-11-21"}),
        ("последняя активность до 21.11.2026", {"field": "last_seen", "lt": "2026-11-21"}),
        ("створено — 21.11.2026", {"field": "created_at", "is": "2026-11-21"}),
        ("усі", None),
    ],
)
def test_conditions_are_understood(words: str, condition: object) -> None:
    assert conditions.read_typed(words, ["plan"], []) == condition


# --- nothing in another language ---


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_page_and_the_menus_are_in_the_language(language: str) -> None:
    t = Texts(language)
    for words in (*page_words(t).values(), *(t.plain(does) for _name, does, _verb in COMMANDS)):
        assert re.search("[а-яіїє]", words.casefold()), words
