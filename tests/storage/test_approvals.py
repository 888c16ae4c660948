"""A question to a second person: one at a time, answered once."""

from storage.approvals import ApprovalState, Ask, Decision
from storage.audit import Audited, NewNotice
from storage.records import Actor
from storage.store import Store
from tests.storage.people import NOW
from tests.storage.sent import sent

OLHA, OSTAP, IVAN = Actor("Olha"), Actor("Ostap"), Actor("Ivan")


def asked(mailing_id: int, draft_hash: str) -> Ask:
    return Ask(mailing_id, draft_hash, Audited(NOW, OLHA, "ask_approval"), NewNotice("approval_asked", NOW, OLHA))


def said(approval_id: int, state: ApprovalState, by: Actor) -> Decision:
    return Decision(approval_id, state, Audited(NOW, by, "decide"), notice=NewNotice("approval", NOW, OLHA))


async def test_a_question_is_asked_once_and_anew_when_the_mailing_is_another(store: Store) -> None:
    await sent(store)
    approvals = store.approvals
    assert await approvals.last(1) is None
    assert await approvals.ask(asked(1, "as it was"))
    assert not await approvals.ask(asked(1, "as it was"))
    assert await approvals.ask(asked(1, "as it is"))
    [waiting] = await approvals.waiting()
    assert (waiting.draft_hash, waiting.asked_by.name, waiting.state) == ("as it is", "Olha", ApprovalState.WAITING)
    assert len(await store.mailings.untold()) == 2


async def test_only_the_first_answer_counts(store: Store) -> None:
    await sent(store)
    await store.approvals.ask(asked(1, "x"))
    [waiting] = await store.approvals.waiting()
    assert await store.approvals.decide(said(waiting.id, ApprovalState.REJECTED, OSTAP))
    assert not await store.approvals.decide(said(waiting.id, ApprovalState.APPROVED, IVAN))
    last = await store.approvals.last(1)
    assert last is not None
    assert last.decided_by is not None
    assert (last.state, last.decided_by.name) == (ApprovalState.REJECTED, "Ostap")
    assert await store.approvals.waiting() == []
