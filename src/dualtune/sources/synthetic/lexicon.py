"""The people and things of the word problems: names with their pronouns, nouns with both numbers.

Names end in no s, so that ``Lena's`` is always right, and every noun says whether one may eat it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

Value = int | Decimal
HALF = Decimal("0.5")


def num(value: Value) -> str:
    """Return a plain number without needless zeros: ``2.5``, ``3``, ``40``."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(value: Value) -> str:
    """Return an amount of money: whole dollars without cents, else two decimals."""
    return f"${value:.2f}" if value % 1 else f"${int(value)}"


class Person(NamedTuple):
    """Somebody in a story; formats as the name."""

    name: str
    he: str
    him: str
    his: str

    def __str__(self) -> str:
        return self.name


class Noun(NamedTuple):
    """Something that is counted or measured; formats as the plural."""

    one: str
    many: str
    food: bool = False

    def __str__(self) -> str:
        return self.many

    def word(self, value: Value) -> str:
        """Return the singular for 1 and the plural for all else."""
        return self.one if value == 1 else self.many

    def of(self, value: Value) -> str:
        """Return the number with the noun: ``1 apple``, ``2.5 liters``."""
        return f"{num(value)} {self.one if value == 1 else self.many}"


_SHE = (
    "Lena Mia Aisha Priya Sofia Mei Emma Zoe Nadia Clara Fatima Inez Ruth Olga Hana Yuki Amara "
    "Leila Greta Rosa Elif Tara Nora Ivy Maya Chloe Anika Lucia Freya Sana Wendy Paula Kavya Dina "
    "Abby Jill Marta Naomi Esther Bella Keiko Zara Alma Vera Joy Lily Samira Tessa Renata Kim"
)
_HE = (
    "Omar Ben Tom Diego Ravi Jack Ali Leo Noah Kofi Ivan Hugo Sam Dan Mateo Arjun Finn Yusuf Paul "
    "Oscar Emil Kenji Tariq Liam Andre Felix Viktor Jamal Peter Luca Amir Rohan Max Otto Bruno "
    "Pablo Henry Ibrahim Milo Theo Adam Carlo Erik Nikhil Walter Simon Jonah Marco Tim Hassan"
)
PEOPLE: tuple[Person, ...] = tuple(
    Person(name, *pronouns)
    for names, pronouns in ((_SHE, ("she", "her", "her")), (_HE, ("he", "him", "his")))
    for name in names.split()
)


def _nouns(text: str, *, food: bool = False) -> tuple[Noun, ...]:
    """Read ``one/many`` pairs; a lone word takes an s."""
    pairs = (entry.strip().split("/") for entry in text.split(","))
    return tuple(Noun(p[0], p[1] if len(p) > 1 else p[0] + "s", food) for p in pairs)


THINGS = _nouns(
    "marble, sticker, seashell, stamp, bead, button, pencil, crayon, toy car, badge, pebble, "
    "postcard, eraser, balloon, trading card, comic book, bookmark, puzzle piece, building block, "
    "paper star, bracelet, ribbon, keychain, coin, paper clip"
)
FOODS = _nouns(
    "apple, orange, cookie, muffin, plum, pear, walnut, grape, lemon, fig, candy/candies, carrot, "
    "strawberry/strawberries, cherry/cherries, peach/peaches, chestnut, lollipop, pretzel, "
    "almond, cracker",
    food=True,
)
BELONGINGS = THINGS + FOODS

# What a shop sells, with the dollars that one costs: lowest and highest.
WARES: tuple[tuple[Noun, int, int], ...] = tuple(
    (Noun(one, many), low, high)
    for one, many, low, high in (
        ("notebook", "notebooks", 2, 5),
        ("pen", "pens", 1, 3),
        ("sandwich", "sandwiches", 3, 7),
        ("bottle of juice", "bottles of juice", 2, 4),
        ("T-shirt", "T-shirts", 8, 15),
        ("movie ticket", "movie tickets", 7, 12),
        ("paintbrush", "paintbrushes", 2, 6),
        ("mug", "mugs", 4, 9),
        ("pair of socks", "pairs of socks", 3, 6),
        ("candle", "candles", 2, 7),
        ("loaf of bread", "loaves of bread", 2, 5),
        ("flower pot", "flower pots", 3, 8),
        ("toy train", "toy trains", 9, 15),
        ("poster", "posters", 4, 9),
        ("slice of pizza", "slices of pizza", 2, 4),
        ("cupcake", "cupcakes", 2, 4),
        ("ruler", "rulers", 1, 3),
        ("book", "books", 6, 14),
        ("scarf", "scarves", 8, 14),
        ("bag of rice", "bags of rice", 3, 8),
    )
)
# What one spends money on, with the lowest and highest amount in dollars.
TREATS: tuple[tuple[str, int, int], ...] = (
    ("lunch", 5, 10),
    ("a book", 5, 15),
    ("a bus ticket", 2, 5),
    ("a movie ticket", 7, 12),
    ("a birthday card", 2, 5),
    ("a T-shirt", 8, 18),
    ("a phone case", 6, 15),
    ("a plant", 4, 12),
    ("a board game", 12, 30),
    ("snacks", 2, 8),
    ("a hat", 8, 18),
    ("art supplies", 6, 25),
    ("a gift", 5, 25),
)
BOXES: tuple[Noun, ...] = _nouns("bag, box/boxes, jar, basket, tray, pack")

HOUR = Noun("hour", "hours")
MINUTE = Noun("minute", "minutes")
DAY = Noun("day", "days")
YEAR = Noun("year", "years")
WEEK = Noun("week", "weeks")
KM = Noun("km", "km")
MILE = Noun("mile", "miles")
LITER = Noun("liter", "liters")
CUP = Noun("cup", "cups")
METER = Noun("meter", "meters")
SQUARE_METER = Noun("square meter", "square meters")
