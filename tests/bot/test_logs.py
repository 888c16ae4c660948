"""What stands in a log, and what never does."""

import json
import logging

from bot.logs import EventFormatter, JsonFormatter


def written(record: logging.LogRecord) -> str:
    return EventFormatter().format(record)


def record_of(words: str, name: str = "engine.lane", **fields: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, words, (), None)
    vars(record).update(fields)
    return record


def test_an_event_has_its_fields_behind_it() -> None:
    line = written(record_of("part accepted", delivery=7, why="two words"))

    assert line.endswith(" INFO engine.lane: part accepted delivery=7 why='two words'")


def test_a_traceback_shows_places_and_not_what_the_exception_says() -> None:
    record = record_of("a send failed")
    try:
        try:
            raise KeyError("chat 100200300")
        except KeyError as cause:
            raise ExceptionGroup("of Ann", [ValueError("hush")]) from cause
    except ExceptionGroup as error:
        record.exc_info = (type(error), error, error.__traceback__)
    text = written(record)

    assert "builtins.KeyError" in text
    assert "builtins.ValueError" in text
    assert "test_a_traceback_shows_places" in text
    assert not {"100200300", "Ann", "hush"} & set(text.replace("'", " ").split())


def test_of_what_asyncio_says_only_the_first_line_is_kept() -> None:
    line = written(record_of("Task exception was never retrieved\nfuture: <Task exception=hush>", name="asyncio"))

    assert line.endswith("Task exception was never retrieved")


def test_an_event_is_one_json_document_with_the_same_fields_and_places() -> None:
    record = record_of("a send failed", delivery=7, why="two\nlines", at="its own name is ours")
    try:
        raise ValueError("hush")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(record)
    event = json.loads(line)

    assert "\n" not in line
    assert (event["level"], event["logger"], event["event"]) == ("INFO", "engine.lane", "a send failed")
    assert (event["delivery"], event["why"]) == (7, "two\nlines")
    assert event["at"].endswith("Z")
    assert event["traceback"][0] == "builtins.ValueError at"
    assert "hush" not in line
