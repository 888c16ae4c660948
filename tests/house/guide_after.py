"""The second half of the operators' guide: from the launch to what comes after it."""

from gateways.base import AddressGone, AddressStatus, ChannelBroken, OutcomeUnknown
from storage.records import Status
from tests.house.guide_shop import Shop, Task

NEWS = "Autumn is here: new ferns every Friday. Write STOP to leave."


async def launch(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/new Fern week", quiet=True)
    await olha.say("Fern week: 15 % off everything green. Write STOP to leave.")
    await olha.press("Next: audience")
    await olha.say("garden")
    await olha.press("Next: when")
    await olha.press("10")
    await olha.press("Next: check")
    await olha.press("Send to")


async def live(shop: Shop) -> None:
    blocked = AddressGone("blocked", status=AddressStatus.BLOCKED)
    shop.messengers["tg-shop"].refuses |= {str(2000 + number): blocked for number in (3, 33)}
    shop.messengers["viber-shop"].refuses |= {"380501000006": OutcomeUnknown("no answer")}
    olha, ostap = shop.chat(), shop.chat("Ostap")
    await shop.pass_by(0.7)
    await olha.say("/now")
    await olha.press("Pause")
    await olha.press("Resume")
    await olha.press("Speed…")
    await olha.press("20")
    await ostap.say("/stop")
    await olha.say("/now")
    await ostap.say("/go")
    await shop.until(Status.SENT, 3)
    await shop.tell(olha)


async def two_people(shop: Shop) -> None:
    olha, petro = shop.chat(), shop.chat("Petro")
    await olha.say("/new Opening day", quiet=True)
    await olha.say("We open a second shop on Saturday. Come and see. Write STOP to leave.", quiet=True)
    await olha.say("/check")
    await olha.press("Ask for approval")
    await shop.tell(petro)
    await petro.press("Reject")
    await petro.say("Say where it is")
    await shop.tell(olha)
    await olha.press("Change")
    await olha.say("We open a second shop on Saturday: 4 Green Street. Come and see. Write STOP to leave.")
    await olha.say("/launch 4")
    await olha.press("Ask for")
    await petro.say("/approval 4")
    await petro.press("Approve")
    await shop.tell(olha)
    await shop.until(Status.SENT, 4)
    await shop.tell()


async def canary(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/new Autumn", quiet=True)
    await olha.say(NEWS, quiet=True)
    await olha.say("/audience", quiet=True)
    await olha.say("main_channel is tg-shop", quiet=True)  # of several, whoever is first has more of them
    await olha.say("/send 5")
    await olha.press("A few clients first")
    await olha.say("10")
    await olha.press("Done")
    await olha.press("Next: check")
    await olha.press("Send to")
    await shop.pass_by(3)
    await olha.say("/now")
    await shop.jump(minutes=30)
    await shop.until(Status.SENT, 5)
    await shop.tell(olha)


async def schedule(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/send 1")
    await olha.say("tomorrow 10:00")
    await olha.press("Next: check")
    await olha.press("Schedule")


async def wrong(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/failed 3")
    await olha.say("/unknown 3")
    await olha.press("Leave them")
    await olha.say("/why 3 c3")


async def interrupted(shop: Shop) -> None:
    olha = shop.chat()
    shop.messengers["viber-shop"].refuses |= {
        f"3805010{n:05}": ChannelBroken("the token is revoked") for n in range(200)
    }
    await olha.say("/new Thanks", quiet=True)
    await olha.say("Thank you for a green year. Write STOP to leave.", quiet=True)
    await olha.say("/audience", quiet=True)
    await olha.say("garden", quiet=True)
    await olha.say("/launch", quiet=True)
    await olha.press("Send to")
    await shop.pass_by(5)
    await shop.tell(olha)
    await shop.jump(minutes=2)
    await olha.say("/now")
    await olha.say("/channels")
    shop.messengers["viber-shop"].refuses.clear()


async def take_back(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/after 3")
    await olha.press("Correct")
    await olha.say("Fern week: 25 % off everything green. Write STOP to leave.")
    await olha.press("Correct it for")
    await shop.until_amended()
    await shop.tell(olha)
    await olha.say("/takeback 3")
    await olha.press("Yes, take it back")
    await shop.until_amended()
    await shop.tell(olha)


async def again(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/resend 3")
    await olha.say("/after 3")
    await olha.press("Write to those who")


async def statistics(shop: Shop) -> None:
    await shop.report("viber-shop", delivered=30, read=14)
    await shop.report("sms-shop", delivered=6)
    maria = shop.chat("Maria")
    await maria.say("how did the last mailing go?")
    await maria.say("/stats 3")
    maria.keep("statistics")
    await maria.press("Why some did not get it")
    maria.keep("reasons")
    await maria.say("compare 5 and 3")
    maria.keep("compare")
    await maria.say("/report 3")


async def digests(shop: Shop) -> None:
    maria = shop.chat("Maria")
    await maria.say("/digest")
    await maria.press("Each day…")
    await maria.say("8:30")


async def clients(shop: Shop) -> None:
    olha, ostap = shop.chat(), shop.chat("Ostap")
    await olha.say("/clients Kovalenko")
    await olha.say("/clients c6")
    await olha.press("Opt out")
    await olha.press("Everywhere")
    await olha.say("/export c6")
    await olha.say("/merge c6")
    await olha.say("c66")
    await ostap.say("/optin c6")
    await ostap.say("/erase c8")


async def the_list(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/mailings")
    await olha.say("/mailings 3")
    await olha.press("Copy")
    await olha.say("/archive 3")
    await olha.say("/archive")


async def languages(shop: Shop) -> None:
    olha = shop.chat()
    await olha.say("/language")


TASKS = (
    Task(
        "Launch",
        "Three steps lead from a message to its launch: audience, when and how fast, check. The last button names "
        "how many get it, and nothing leaves before it is pressed. `/launch 3` opens that card, with the "
        "mailing's number.",
        launch,
    ),
    Task(
        "Watch and steer",
        "The card of a running mailing moves by itself; `/now` shows it again. Pause, Resume, Slower, Faster and "
        "Cancel hold from the next message on. `/stop` stops everything at once, whoever presses it; only an "
        "owner lets it go on with `/go`. Nobody gets anything twice. At the end you are told, with the report as "
        "files.",
        live,
    ),
    Task(
        "A second person says yes",
        "Where the configuration asks for it (`[approval]`: many clients, odd hours, certain channels), a launch "
        "waits for an approver or an owner. They see the message and the check, and press **Approve** or "
        "**Reject**; nobody approves their own. Any change asks anew. `/approval` lists what waits.",
        two_people,
    ),
    Task(
        "A few clients first",
        "Send to the first hundred, or to one in a hundred, and look. After the pause all the others get it by "
        "itself, unless too many failed or unsubscribed: then it stops and asks you. It is chosen under **A few "
        "clients first**, on the card before the check (`/send`).",
        canary,
    ),
    Task(
        "Start later",
        "On the same card (`/send`) type when it shall start: `tomorrow 10:00`, `in 2 hours`, `Friday 18:30`. It "
        "can also start at each client's own hour. Until 5 minutes before the start it can be changed; the "
        "audience is formed when it starts.",
        schedule,
    ),
    Task(
        "Who did not get it, and why",
        "`/failed 3` lists for whom it failed, by reason. `/why 3 Ann` tells of one client which rules decided "
        "and what happened. *Unknown* are the few where the connection broke in mid-sending: `/unknown 3` lists "
        "them, and you decide whether they get it again.",
        wrong,
    ),
    Task(
        "When it stops by itself",
        "A mailing stops by itself where a messenger takes nothing any more or too much fails. You are told why "
        "and what to do. Mend the cause and press **Resume**: it goes on with whoever waits. `/channels` shows "
        "what works and what does not.",
        interrupted,
    ),
    Task(
        "Correct it or take it back",
        "A wrong price or a wrong link: `/correct 3` changes the message where it stands, `/takeback 3` removes "
        "it. Telegram and VK allow that for a time, the others do not; the card tells whom it reaches before you "
        "press.",
        take_back,
    ),
    Task(
        "Write again",
        "`/resend 3` makes a new draft to exactly those whom it failed for. `/after 3` writes to exactly those "
        "who got it, such as a correction where nothing can be taken back.",
        again,
    ),
    Task(
        "Numbers",
        "`/stats` asks which mailing or time; `/stats 3`, `/stats week` and plain questions work too. What a "
        "messenger does not report is never a 0: the card says of how many it is counted. Two mailings stand "
        "beside each other with `compare 5 and 3`, and `/report 3` hands over CSV and Excel files.",
        statistics,
        {
            "statistics": "The chart of a mailing",
            "reasons": "Why some did not get it",
            "compare": "Two mailings beside each other",
        },
    ),
    Task(
        "Numbers that come by themselves",
        "`/digest` sends the numbers of each day or each week to a chat, at your hour.",
        digests,
    ),
    Task(
        "Clients",
        "`/clients` finds somebody by a piece of the name, a phone or an id. From the card you tag, opt out, "
        "choose the main channel, export, and ask why a mailing did or did not come. Two cards of one person are "
        "merged after a preview. Only an owner opts somebody in again or forgets a client for good.",
        clients,
    ),
    Task(
        "The list, the archive and copies",
        "`/mailings` has all of them, the newest first; type a word to search. What is finished can be copied, "
        "and put away into the archive. Opening a mailing shows its message, audience and numbers, and says what "
        "can't be done any more and why.",
        the_list,
    ),
    Task(
        "Your language",
        "The bot speaks English, Russian and Ukrainian, with each person their own, and understands commands and "
        "questions in all three.",
        languages,
    ),
    Task(
        "On Slack and in the browser",
        "The same cards, buttons and words everywhere; a draft that was begun on one is finished on another.\n\n"
        "- **Slack**: a command begins with `/carillon`, such as `/carillon new` or `/carillon stats week`; where "
        "a card asks for words, a button opens a form for them. Files and pictures are sent to the bot's "
        "conversation, and a team channel can approve a launch: it counts who pressed. How it is set up stands in "
        "[slack.md](slack.md).\n"
        "- **Browser**: `carillon run` prints a link that opens the page once for each person. It works by "
        "keyboard alone and on a phone, and has the statistics as a page with tables.\n"
        "- **In a group** the bot listens to commands and presses only, so people can talk there.\n\n"
        "![The page in the browser](page.png)",
    ),
)
