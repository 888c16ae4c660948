"""What a person did that can't be done: a sentence for that person, in a form that can be translated."""


class Invalid(Exception):
    """The thing asked for can't be; `str` is the sentence in English.

    `words` is a gettext message id with {names}, `values` fill them: bot translates before it fills."""

    def __init__(self, words: str, /, **values: object) -> None:
        super().__init__(words.format(**values) if values else words)
        self.words = words
        self.values = values


class NotFound(Invalid):
    """There is no such mailing, client, segment or channel."""


class Refused(Invalid):
    """It exists, but its state or the person's right does not allow this."""


class Stale(Invalid):
    """It was changed in between; look again and repeat."""


def _(words: str) -> str:
    """Mark a sentence for translation where it stands; bot translates it where it is shown."""
    return words
