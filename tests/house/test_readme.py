from pathlib import Path

from gateways import registry
from tests.house.channels import table

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def test_the_table_of_messengers_is_what_their_gateways_say() -> None:
    assert table() in README, "python -m tests.house.channels prints the table as it should be"


def test_every_messenger_is_paced_as_the_text_below_the_table_says() -> None:
    kinds = [(kind, by or None) for kind, models in registry.MODELS.items() for by in models]
    assert {registry.config_model(kind, by).able.max_rate for kind, by in kinds} == {25.0}
    assert "25 messages\na second at most" in README


def test_the_readme_stays_one_page() -> None:
    assert len(README.splitlines()) <= 100
