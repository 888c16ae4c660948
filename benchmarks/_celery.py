"""A Celery task for each client, in a process of its own: reads lines of URL and number, answers when all are sent.

Its solo pool beside the memory broker, in one process, so that no server is needed: a worker of ten threads sent an
eighth of it here, one of fifty three quarters.
python -m benchmarks._celery
"""

import sys
import threading

import requests
from celery import Celery
from celery.contrib.testing.worker import start_worker

from benchmarks._peers import HTML
from benchmarks._world import FIRST_CHAT

PATIENCE_S = 300

app = Celery("peer", broker="memory://")
session = requests.Session()
sent = threading.Semaphore(0)


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def send(url: str, chat: int) -> None:
    asked = {"chat_id": str(chat), "text": HTML, "parse_mode": "HTML"}
    session.post(f"{url}/bot1:simulated/sendMessage", json=asked, timeout=30).raise_for_status()
    sent.release()


def main() -> None:
    with start_worker(app, pool="solo", concurrency=1, perform_ping_check=False, loglevel="ERROR"):
        for line in sys.stdin:
            url, messages = line.split()
            for number in range(int(messages)):
                send.delay(url, FIRST_CHAT + number)
            for _ in range(int(messages)):
                assert sent.acquire(timeout=PATIENCE_S), "a task was lost"
            print("sent", flush=True)


if __name__ == "__main__":
    main()
