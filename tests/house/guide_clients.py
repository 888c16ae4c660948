"""The clients of the guide's shop, and a picture such as it sends."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

FIRST = ("Ann", "Bohdan", "Chloe", "Daniel", "Emma", "Finn", "Grace", "Harry", "Iryna", "Jack", "Lily", "Max")
LAST = ("Baker", "Clarke", "Evans", "Foster", "Green", "Hughes", "Kovalenko", "Lee", "Morgan", "Orlov", "Reed")
CITIES = ("Kyiv", "Lviv", "Odesa")


def rows(people: int) -> list[dict[str, Any]]:
    """Clients as an import has them: most on Telegram, others on Viber, WhatsApp and SMS."""
    made = []
    for number in range(1, people + 1):
        place = (
            "tg-shop"
            if number % 10 < 5
            else "viber-shop"
            if number % 10 < 8
            else "wa-shop"
            if number % 10 < 9
            else "sms-shop"
        )
        phone = f"3805010{number:05}"
        row: dict[str, Any] = {
            "id": f"c{number}",
            "first_name": FIRST[number % len(FIRST)],
            "last_name": LAST[number % len(LAST)],
            "language": "en",
            "tags": [*(["vip"] if number % 8 == 1 else []), *(["garden"] if number % 3 == 0 else [])],
            "phone": f"+{phone}",
            "attributes": {"city": CITIES[number // 3 % 3], "ltv": number * 7 % 400},
            "addresses": {place: str(2000 + number) if place == "tg-shop" else phone},
            "main_channel": place,
        }
        if number % 40 == 7:
            del row["first_name"]
        made.append(row)
    return made


def drawn_fern() -> bytes:
    """A picture such as a shop sends."""
    picture = Image.new("RGB", (640, 400), (236, 243, 230))
    pen = ImageDraw.Draw(picture)
    pen.line((320, 390, 330, 60), fill=(40, 90, 50), width=7)
    for step in range(12):
        y, wide = 370 - step * 26, 150 - step * 11
        for side in (-1, 1):
            tip = (325 + side * wide, y - 40)
            pen.polygon(
                [(325, y), (325 + side * wide // 2, y - 44), tip, (325 + side * wide // 2, y - 8)],
                fill=(70, 140 - step * 3, 80),
            )
    made = BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()
