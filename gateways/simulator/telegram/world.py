"""Everything that the simulated platform holds in common: bots, files, the ledger, faults and knobs."""

from typing import TYPE_CHECKING

from gateways.simulator.faults import Faults
from gateways.simulator.subscription import Subscription
from gateways.simulator.telegram.files import Files
from gateways.simulator.telegram.ledger import Ledger
from gateways.simulator.telegram.messages import Event

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot


class World:
    def __init__(self, seed: int) -> None:
        self.bots: dict[str, SimulatedBot] = {}
        self.files = Files()
        self.ledger = Ledger()
        self.faults = Faults(seed)
        self.subscriptions: set[Subscription[Event]] = set()
        self.keeps_messages = True  # off: only counted, for a benchmark of a million
        self.query_fresh_s = 60.0  # how long a press can be answered
        self.refuses_links = False  # True: every file by URL fails with "failed to get HTTP URL content"
        self.allows_insecure_webhooks = True
        self.webhook_time_scale = 1.0  # of pauses between repeats and of the ages at which updates are dropped
        self.webhook_duplicates = 0  # how often a taken update comes once more

    def subscribe(self, bound: int = 10_000) -> Subscription[Event]:
        return Subscription(self.subscriptions, bound)

    def tell(self, event: Event) -> None:
        for subscription in self.subscriptions:
            subscription.put(event)
