"""People and their roles: who may use the admin bot, inviting somebody, changing a role, removing."""

from html import escape

from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    danger,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.screens import Person, Said, with_note
from bot.texts import Html, _
from engine.errors import Invalid, NotFound, Refused
from storage.invitations import Invitation
from storage.records import Role

_ROLES = {
    Role.OPERATOR: _("makes mailings, sends and steers them, looks after clients"),
    Role.APPROVER: _("sees everything and says yes or no to a launch"),
    Role.MANAGER: _("asks for numbers"),
    Role.OWNER: _("everything, people and erasing clients too"),
}
_SURFACES = {"telegram": "Telegram", "slack": "Slack", "console": _("page")}
_HOW = {
    "telegram": _("On Telegram, they open {way} and press Start."),
    "slack": _("On Slack, they type {way}."),
    "console": _("In a browser, they open {way}."),
}


async def open_people(talk: Talk, *_args: str) -> Screens:
    """Everybody with their role and where they are, and the invitations that wait."""
    t = talk.t
    everybody = _everybody(talk)
    waiting = await talk.people.invitations(talk.clock.now())
    rows: Rows = in_rows([button(short(one.name, 28), "p:of", digest(one.name)) for one in everybody], 2)
    rows += [(button(t("✕ Take back: {name}", name=one.person), "p:revoke", one.id),) for one in waiting]
    rows += [(primary(t("+ Invite somebody"), "p:new"),), footer(talk)]
    text = paragraphs(
        t("<b>People</b>"),
        lines(*(_line(talk, one) for one in everybody)),
        lines(t("Invited, and not here yet:"), *(_waits(talk, one) for one in waiting)) if waiting else None,
    )
    return [card(text, rows)]


def _everybody(talk: Talk) -> list[Person]:
    by_name = {one.name: one for one in talk.people.values()}
    return [by_name[name] for name in sorted(by_name, key=str.casefold)]


def _line(talk: Talk, person: Person) -> Html:
    t = talk.t
    where = ", ".join(t.plain(_SURFACES.get(one, one)) for one in person.accounts or ["console"])
    return t("<b>{name}</b> – {role} · {where}", name=person.name, role=person.role.value, where=where)


def _waits(talk: Talk, invitation: Invitation) -> Html:
    return talk.t(
        "{name} – {role}, until {when}",
        name=invitation.person,
        role=invitation.role.value,
        when=talk.t.moment(invitation.expires_at),
    )


# --- one of them ---


async def open_person(talk: Talk, short_name: str) -> Screens:
    t = talk.t
    person = _found(talk, short_name)
    theirs = talk.people.joined(person.name)
    accounts = [
        t("{where}: {account}", where=t.plain(_SURFACES.get(surface, surface)), account=account)
        for surface, account in person.accounts.items()
    ]
    if talk.people.is_configured(person.name):
        origin = t("The role stands in config.toml, and is changed there.")
    else:
        first = min(theirs, key=lambda one: one.joined_at)
        origin = t("Invited by {who}; here since {day}.", who=first.invited_by.name, day=t.day(first.joined_at))
    text = paragraphs(
        t("<b>{name}</b> – {role}", name=person.name, role=person.role.value),
        t(_ROLES[person.role]),
        lines(*accounts) if accounts else None,
        origin,
    )
    rows: Rows = [(button(t("Invite to another messenger"), "p:again", digest(person.name)),)]
    if theirs and person.name != talk.person.name:
        if not talk.people.is_configured(person.name):
            others = [role for role in _ROLES if role != person.role]
            makes = [t.plain("Make {role}", role=role.value) for role in others]
            rows.append(
                tuple(
                    button(label, "p:role", digest(person.name), role.value)
                    for label, role in zip(makes, others, strict=True)
                )
            )
        rows.append((danger(t("Remove"), "p:out?", digest(person.name)),))
    rows.append(footer(talk, button(t("◀ Back"), "p")))
    return [card(text, rows)]


async def set_role(talk: Talk, short_name: str, role: str) -> Screens:
    name = _found(talk, short_name).name
    await talk.people.set_role(name, _role(role), talk.actor, talk.clock.now())
    return await open_person(talk, short_name)


async def ask_remove(talk: Talk, short_name: str) -> Screens:
    t = talk.t
    person = _found(talk, short_name)
    text = t("Remove {name}? I answer {name} no more, from now on. Their mailings stay.", name=person.name)
    rows: Rows = [
        (danger(t("Yes, remove"), "p:out", short_name),),
        footer(talk, button(t("◀ Back"), "p:of", short_name)),
    ]
    return [card(text, rows)]


async def remove(talk: Talk, short_name: str) -> Screens:
    name = _found(talk, short_name).name
    await talk.people.remove(name, talk.actor, talk.clock.now())
    return _noted(talk.t("{name} is removed.", name=name), await open_people(talk))


def _found(talk: Talk, short_name: str) -> Person:
    everybody = {one.name: one for one in talk.people.values()}
    return everybody[chosen(list(everybody), short_name)]


# --- inviting ---


async def open_invite(talk: Talk, *_args: str) -> Screens:
    t = talk.t
    talk.ask("p.name")
    text = t("Whom do you invite? Type the name by which the team knows them.")
    return [card(text, [footer(talk, button(t("◀ Back"), "p"))], ask=t.plain("A name, such as Olha"))]


async def hear_name(talk: Talk, said: Said) -> Screens:
    return await _ask_role(talk, plain_words(said))


async def _ask_role(talk: Talk, words: str) -> Screens:
    t = talk.t
    name = " ".join(words.split())
    if not name:
        raise Invalid(_("Type the name by which the team knows them."))
    known = talk.people.named(name)
    if known is not None:
        return await _invite(talk, known.name, None)
    talk.state["invites"] = name
    text = paragraphs(
        t("What may {name} do?", name=name),
        lines(*(t("<b>{role}</b>: {what}", role=role.value, what=t.plain(what)) for role, what in _ROLES.items())),
    )
    roles = [button(t.plain(role.value).capitalize(), "p:role!", role.value) for role in _ROLES]
    return [card(text, [*in_rows(roles, 2), footer(talk, button(t("◀ Back"), "p:new"))])]


async def choose_role(talk: Talk, role: str) -> Screens:
    name = talk.state.get("invites")
    if not name:
        raise NotFound(_("That card was old: begin again with /invite."))
    return await _invite(talk, str(name), _role(role))


async def invite_again(talk: Talk, short_name: str) -> Screens:
    return await _invite(talk, _found(talk, short_name).name, None)


async def invite_by_command(talk: Talk, words: str = "") -> Screens:
    """/invite, /invite Olha, /invite Olha operator"""
    *name, last = words.split() or [""]
    if name and last.lower() in list(Role):
        return await _invite(talk, " ".join(name), _role(last.lower()))
    return await _ask_role(talk, words) if words.strip() else await open_invite(talk)


async def _invite(talk: Talk, name: str, role: Role | None) -> Screens:
    t = talk.t
    if talk.event.chat != talk.event.account:
        raise Refused(_("Whoever reads an invitation can use it: make it in your own chat with me."))
    made, code = await talk.people.invite(name, role, talk.actor, talk.clock.now())
    talk.state.pop("invites", None)
    ways = {surface: door.way_in(code) for surface, door in talk.people.doors.items()}
    text = paragraphs(
        t("✉ <b>An invitation for {name}</b>, as {role}.", name=made.person, role=made.role.value),
        t("Hand on one of these, to {name} alone; it is shown only now:", name=made.person),
        lines(*(t("• {how}", how=t(_HOW[surface], way=_code(way))) for surface, way in ways.items() if way))
        or t("/join {code}", code=code),
        t("It works once, until {when}.", when=t.moment(made.expires_at)),
    )
    rows: Rows = [
        (button(t("Take it back"), "p:revoke", made.id), button(t("People"), "p")),
        footer(talk),
    ]
    return [card(text, rows)]


def _code(way: str) -> Html:
    return Html(f"<code>{escape(way, quote=False)}</code>")


async def revoke(talk: Talk, invitation_id: str) -> Screens:
    await talk.people.revoke(int(invitation_id), talk.actor, talk.clock.now())
    return _noted(talk.t("Taken back: nobody can use that invitation any more."), await open_people(talk))


async def join_by_command(talk: Talk, words: str = "") -> Screens:
    """/join CODE, from somebody who is here already"""
    t = talk.t
    text = t("You are here already, as {role}.", role=talk.person.role.value)
    if words.strip():
        text = paragraphs(text, t("That invitation is not used up: hand it to whom it is meant for."))
    return [card(text, [footer(talk)])]


def _noted(note: str, screens: Screens) -> Screens:
    return [with_note(screens[0], note), *screens[1:]]


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise NotFound(_("There is no such role.")) from None
