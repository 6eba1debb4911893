"""Stories about fractions and percents: parts of what there is, and discounts."""

from __future__ import annotations

from dualtune.sources.synthetic.lexicon import BELONGINGS, Noun, Person, usd
from dualtune.sources.synthetic.scene import Scene

_SHARES: tuple[tuple[str, int, int], ...] = (
    ("half", 1, 2),
    ("a third", 1, 3),
    ("a quarter", 1, 4),
    ("a fifth", 1, 5),
    ("two thirds", 2, 3),
    ("three quarters", 3, 4),
    ("1/4", 1, 4),
    ("1/6", 1, 6),
    ("2/5", 2, 5),
)
_PERCENTS = (10, 20, 25, 30, 40, 50, 60, 75)
# Amounts that divide in many ways, to come back to after a change.
_ROUND = (12, 16, 18, 20, 24, 30, 36, 40, 48, 50, 60, 72, 80, 90, 100, 120)


def fractions(s: Scene, depth: int) -> None:
    """Fractions and percents of what there is, step by step; or of a price."""
    if s.chance(0.3):
        _discount(s, depth)
        return
    who, noun = s.person(), s.pick(BELONGINGS)
    amount = s.pick(_ROUND[3:])
    s.say(
        f"{who} has {noun.of(amount)}.",
        f"{who} collects {noun.of(amount)}.",
        f"There are {amount} {noun} in {who}'s bag.",
    )
    left, lost = depth, True
    while left:
        opener = s.then() + " " if left < depth else ""
        share = _share(s, amount)
        if share is None or (left < depth and left != 2 and s.chance(0.3)):
            amount, lost = _to_round(s, opener, who, noun, amount)
            left -= 1
            continue
        phrase, equation, part = share
        friend = s.person()
        rest = "of the rest" if left < depth and lost else f"of {who.his} {noun}"
        deed = s.pick((f"gives {phrase} {rest} to {friend}", f"sells {phrase} {rest} to {friend}"))
        s.say(f"{opener}{who.he} {deed}.")
        line = f"{phrase} of {amount} is {equation} = {noun.of(part)}"
        s.step(
            f"{line}.", f"{friend} gets {phrase} of {amount}, which is {equation} = {part} {noun}."
        )
        left -= 1
        if not left:
            s.say(
                f"How many {noun} does {friend} get?",
                f"How many {noun} does {who} {'give' if deed[0] == 'g' else 'sell'} to {friend}?",
            )
            return
        s.step(
            f"{who} has {amount} - {part} = {noun.of(amount - part)} left.",
            f"That leaves {amount} - {part} = {noun.of(amount - part)}.",
        )
        amount, lost, left = amount - part, True, left - 1
    s.say(f"How many {noun} does {who} have {'left' if lost else 'now'}?")


def _share(s: Scene, amount: int) -> tuple[str, str, int] | None:
    """Draw a share that comes out whole: its wording, its expression, the part; None if none."""
    if s.chance(0.4):
        fits = [p for p in _PERCENTS if amount * p % 100 == 0 and amount * p // 100 > 1]
        if fits:
            p = s.pick(fits)
            return f"{p}%", f"{amount} * {p} / 100", amount * p // 100
    shares = [f for f in _SHARES if amount % f[2] == 0 and amount // f[2] > 1]
    if not shares:
        return None
    phrase, top, bottom = s.pick(shares)
    if top == 1:
        return phrase, f"{amount} / {bottom}", amount // bottom
    return phrase, f"{amount} / {bottom} * {top}", amount // bottom * top


def _to_round(s: Scene, opener: str, who: Person, noun: Noun, amount: int) -> tuple[int, bool]:
    """One step that brings the amount to one that divides well; True where it shrank."""
    lower = [n for n in _ROUND if 1 < amount - n < 20]
    if lower and s.chance(0.4):
        goal = s.pick(lower)
        k = amount - goal
        s.say(f"{opener}{who.he} loses {k} {noun}.", f"{opener}{who.he} gives away {k} {noun}.")
        s.step(
            f"That leaves {amount} - {k} = {goal} {noun}.",
            f"{who} has {amount} - {k} = {goal} left.",
        )
        return goal, True
    goal = s.pick([n for n in _ROUND if n - amount > 1][:3])
    k = goal - amount
    s.say(f"{opener}{who.he} gets {k} more {noun}.", f"{opener}{who.he} buys {k} {noun}.")
    s.step(
        f"{who} now has {amount} + {k} = {goal} {noun}.",
        f"That makes {amount} + {k} = {goal} {noun}.",
    )
    return goal, False


_GOODS = (
    "jacket",
    "backpack",
    "lamp",
    "skateboard",
    "game",
    "pair of shoes",
    "watch",
    "tent",
    "chair",
    "desk",
)


def _discount(s: Scene, depth: int) -> None:
    """A percentage off a price, then several of them, delivery, the change, a saving plan."""
    who, thing = s.person(), s.pick(_GOODS)
    price = s.between(2, 16) * 5
    percent = s.pick([p for p in (10, 20, 25, 30, 40, 50) if price * p % 100 == 0] or [20])
    off = price * percent // 100
    s.say(
        f"A {thing} costs {usd(price)} and is on sale for {percent}% off.",
        f"The price of a {thing} is {usd(price)}, but today it is {percent}% off.",
        f"{who} wants a {thing} that costs {usd(price)}. It is {percent}% off.",
    )
    s.step(
        f"{percent}% of {usd(price)} is {price} * {percent} / 100 = {usd(off)}.",
        f"The discount is {price} * {percent} / 100 = {usd(off)}.",
    )
    if depth == 1:
        s.say("How many dollars is the discount?", "How much money does the sale save?")
        return
    cost = price - off
    s.step(
        f"The sale price is {usd(price)} - {usd(off)} = {usd(cost)}.",
        f"It now costs {usd(price)} - {usd(off)} = {usd(cost)}.",
    )
    if depth == 2:
        s.say("What is the sale price?", f"How much does the {thing} cost now?")
        return
    count = s.between(2, 4)
    many = "pairs" if thing.startswith("pair") else f"{thing}{'es' if thing == 'watch' else 's'}"
    if depth >= 4 or s.chance(0.5):
        cost_all = cost * count
        s.say(f"{who} buys {count} of them.", f"{who} orders {count}.")
        s.step(
            f"The {count} {many} cost {count} * {usd(cost)} = {usd(cost_all)}.",
            f"{who} pays {count} * {usd(cost)} = {usd(cost_all)} for {count}.",
        )
        cost = cost_all
        if depth == 3:
            s.say(f"How much does {who} pay?", f"How many dollars does {who} spend?")
            return
    if depth >= 5:
        fee = s.between(3, 15)
        s.say(f"Delivery costs {usd(fee)}.", f"The shop adds {usd(fee)} for delivery.")
        s.step(f"With delivery it is {usd(cost)} + {usd(fee)} = {usd(cost + fee)}.")
        cost += fee
    if depth == 6:
        gift = s.between(5, 20)
        gift = min(gift, cost - 5)
        s.say(f"A gift card pays {usd(gift)} of it.")
        s.step(f"After the gift card, {who} owes {usd(cost)} - {usd(gift)} = {usd(cost - gift)}.")
        cost -= gift
    paid = next((bill for bill in (20, 50, 100) if bill > cost), (cost // 50 + 1) * 50)
    s.say(f"{who} pays with {usd(paid)}.", f"{who} hands over {usd(paid)}.")
    s.say(f"How much change does {who} get?", f"How many dollars does {who} get back?")
    s.step(
        f"The change is {usd(paid)} - {usd(cost)} = {usd(paid - cost)}.",
        f"{who} gets back {usd(paid)} - {usd(cost)} = {usd(paid - cost)}.",
    )
