"""Stories about money and shares: rates and prices."""

from __future__ import annotations

from decimal import Decimal

from dualtune.sources.synthetic.lexicon import (
    DAY,
    HOUR,
    MINUTE,
    TREATS,
    WARES,
    Noun,
    Person,
    Value,
    usd,
)
from dualtune.sources.synthetic.scene import Scene, divisors

_JOBS = (
    "babysitting",
    "mowing lawns",
    "tutoring",
    "walking dogs",
    "washing dishes",
    "painting fences",
    "delivering papers",
    "cleaning windows",
)
_MAKERS: tuple[tuple[str, str, Noun, Noun, Noun], ...] = (
    ("A bakery", "bake", Noun("roll", "rolls"), HOUR, Noun("bag", "bags")),
    ("A factory", "make", Noun("toy", "toys"), HOUR, Noun("box", "boxes")),
    ("A machine", "fill", Noun("bottle", "bottles"), MINUTE, Noun("crate", "crates")),
    ("A printer", "print", Noun("poster", "posters"), MINUTE, Noun("roll", "rolls")),
    ("A workshop", "make", Noun("chair", "chairs"), DAY, Noun("set", "sets")),
    ("A farm", "collect", Noun("egg", "eggs"), DAY, Noun("carton", "cartons")),
)


def rates(s: Scene, depth: int) -> None:
    """So much an hour: pay and what becomes of it, or things made, packed and sold."""
    if s.chance(0.5):
        _pay(s, depth)
    else:
        _production(s, depth)


def _pay(s: Scene, depth: int) -> None:
    """Hours times wage, then the money is spent or grows."""
    who, job, wage = s.person(), s.pick(_JOBS), s.price(6, 20)
    hours = s.between(2, 8)
    s.say(
        f"{who} earns {usd(wage)} an hour by {job}.",
        f"{who} gets {usd(wage)} per hour for {job}.",
        f"For {job}, {who} is paid {usd(wage)} an hour.",
    )
    if depth > 1 and s.chance(0.5):
        more = s.between(2, 8)
        one, two = s.pick((("Monday", "Tuesday"), ("Monday", "Friday"), ("Tuesday", "Thursday")))
        s.say(f"{who.he} works {HOUR.of(hours)} on {one} and {HOUR.of(more)} on {two}.")
        s.step(
            f"{who} works {hours} + {more} = {hours + more} hours.",
            f"Over both days that is {hours} + {more} = {hours + more} hours.",
        )
        hours, left = hours + more, depth - 2
    else:
        s.say(f"{who.he} works {HOUR.of(hours)}.", f"This week {who.he} works {HOUR.of(hours)}.")
        left = depth - 1
    pay = wage * hours
    s.step(
        f"{who} earns {hours} * {usd(wage)} = {usd(pay)}.",
        f"The pay is {hours} * {usd(wage)} = {usd(pay)}.",
    )
    if not left:
        s.say(f"How much does {who} earn?", f"How many dollars does {who} earn in all?")
        return
    purse(s, who, pay, left)


def purse(s: Scene, who: Person, amount: Value, steps: int) -> None:
    """Change an amount of money by so many steps, and ask what is left."""
    left, lost = steps, True
    while left:
        opener = s.then() + " " if left < steps else ""
        if left == 1 and steps > 1 and (fits := divisors(amount * 2, 2, 5)) and s.chance(0.35):
            _split(s, who, amount, s.pick(fits))
            return
        if left > 1 and amount > 12 and s.chance(0.5):
            item, low, high = s.pick(WARES)
            price = s.price(low, high)
            count = s.between(2, 5)
            if price * count < amount:
                cost = price * count
                s.say(f"{opener}{who.he} buys {item.of(count)} for {usd(price)} each.")
                s.step(
                    f"The {item} cost {count} * {usd(price)} = {usd(cost)}.",
                    f"{item.of(count)} cost {count} * {usd(price)} = {usd(cost)}.",
                )
                amount, left, lost = _pay_out(s, who, amount, cost), left - 2, True
                continue
        if amount > 10 and s.chance(0.65):
            treat, low, high = s.pick([t for t in TREATS if t[2] < amount])
            cost = s.price(low, high - 1)
            s.say(f"{opener}{who.he} spends {usd(cost)} on {treat}.")
            amount, lost = _pay_out(s, who, amount, cost), True
        else:
            gift = s.between(3, 20)
            kin = s.pick(("aunt", "uncle", "grandmother", "father", "neighbor"))
            s.say(f"{opener}{who.his} {kin} gives {who.him} {usd(gift)}.")
            s.step(
                f"{who} now has {usd(amount)} + {usd(gift)} = {usd(amount + gift)}.",
                f"With the gift, {who.he} has {usd(amount)} + {usd(gift)} = {usd(amount + gift)}.",
            )
            amount, lost = amount + gift, False
        left -= 1
    if lost:
        s.say(f"How much money does {who} have left?", f"How many dollars does {who} have left?")
    else:
        s.say(f"How much money does {who} have now?", f"How many dollars does {who} have then?")


def _pay_out(s: Scene, who: Person, amount: Value, cost: Value) -> Value:
    s.step(
        f"{who} has {usd(amount)} - {usd(cost)} = {usd(amount - cost)} left.",
        f"That leaves {usd(amount)} - {usd(cost)} = {usd(amount - cost)}.",
    )
    return amount - cost


def _split(s: Scene, who: Person, amount: Value, parts: int) -> None:
    part = Decimal(amount) / parts
    s.say(f"{who.he} puts all {who.his} money into {parts} envelopes, the same amount in each.")
    s.say("How many dollars are in each envelope?", "How much money is in each envelope?")
    s.step(f"Each envelope holds {usd(amount)} / {parts} = {usd(part)}.")


def _production(s: Scene, depth: int) -> None:
    """Rate times time, minus the faulty, packed, sold, minus the costs, shared."""
    maker, make, noun, unit, box = s.pick(_MAKERS)
    makes = f"{make}s"
    rate, time, size = s.between(8, 30), s.between(3, 9), s.between(3, 10)
    made = rate * time
    s.say(
        f"{maker} {makes} {rate} {noun} per {unit.one}.",
        f"{maker} {makes} {rate} {noun} every {unit.one}.",
    )
    if depth > 1:
        s.say(f"It does this for {unit.of(time)}.", f"This goes on for {unit.of(time)}.")
    made_line = f"{rate} * {time} = {made} {noun}"
    s.step(f"In {unit.of(time)} it {makes} {made_line}.", f"It {makes} {made_line}.")
    if depth == 1:
        s.say(
            f"How many {noun} is that in {unit.of(time)}?",
            f"How many {noun} does it {make} in {unit.of(time)}?",
        )
        return
    # What is packed must come out whole: the damaged ones are those above a multiple.
    bad = (made % size or size) if depth > 2 else s.between(2, 9)
    good = made - bad
    s.say(
        f"{bad} of the {noun} {'is' if bad == 1 else 'are'} damaged and cannot be sold.",
        f"{noun.of(bad)} must be thrown away.",
    )
    s.step(
        f"{made} - {bad} = {good} {noun} are good.",
        f"That leaves {made} - {bad} = {good} good {noun}.",
    )
    if depth == 2:
        s.say(f"How many good {noun} are there?", f"How many {noun} are left to sell?")
        return
    boxes = good // size
    s.say(f"The rest are packed in {box} of {size}.", f"The others go into {box} of {size} {noun}.")
    s.step(
        f"They fill {good} / {size} = {boxes} {box}.", f"That is {good} / {size} = {boxes} {box}."
    )
    if depth == 3:
        s.say(f"How many {box} are filled?", f"How many {box} does that make?")
        return
    price = s.between(3, 12)
    income = boxes * price
    s.say(f"Each {box.one} sells for {usd(price)}.", f"A {box.one} is sold for {usd(price)}.")
    s.step(f"The {box} bring {boxes} * {usd(price)} = {usd(income)}.")
    if depth == 4:
        s.say(f"How much money do all the {box} bring?", f"How many dollars do the {box} bring?")
        return
    people = s.between(2, 5)
    rest = income * s.between(3, 7) // 10
    rest = max(people, rest - rest % people)
    s.say(f"The costs are {usd(income - rest)}.", f"Making them costs {usd(income - rest)}.")
    s.step(f"After costs, {usd(income)} - {usd(income - rest)} = {usd(rest)} is left.")
    if depth == 5:
        s.say("How many dollars are left after the costs?", "How much is the profit?")
        return
    s.say(f"{people} owners share what is left equally.")
    s.say("How many dollars does each owner get?", "How much does each owner get?")
    s.step(f"Each owner gets {usd(rest)} / {people} = {usd(rest // people)}.")


# depth: (kinds of goods, coupon, change), each kind a step and their sum one where several
_SHOP_PLANS: dict[int, tuple[tuple[int, bool, bool], ...]] = {
    1: ((1, False, False),),
    2: ((1, True, False), (1, False, True)),
    3: ((2, False, False), (2, False, False), (1, True, True)),
    4: ((2, True, False), (2, False, True), (3, False, False)),
    5: ((2, True, True), (3, True, False), (3, False, True)),
    6: ((3, True, True),),
}


def prices(s: Scene, depth: int) -> None:
    """A shopping trip: costs, their sum, a coupon, change; or a unit price from a total."""
    if depth <= 3 and s.chance(0.35):
        _unit_price(s, depth)
        return
    who = s.person()
    kinds, coupon, change = s.pick(_SHOP_PLANS[depth])
    bought = [
        (noun, s.between(2, 8), s.price(low, high)) for noun, low, high in s.sample(WARES, kinds)
    ]
    listed = [f"{noun.of(count)} at {usd(price)} each" for noun, count, price in bought]
    text = listed[0] if kinds == 1 else ", ".join(listed[:-1]) + " and " + listed[-1]
    s.say(f"{who} buys {text}.", f"At the store, {who} buys {text}.", f"{who} picks {text}.")
    costs = [count * price for _, count, price in bought]
    for (noun, count, price), cost in zip(bought, costs, strict=True):
        s.step(
            f"The {noun} cost {count} * {usd(price)} = {usd(cost)}.",
            f"{noun.of(count)} cost {count} * {usd(price)} = {usd(cost)}.",
        )
    total = sum(costs)
    if kinds > 1:
        line = f"{' + '.join(map(usd, costs))} = {usd(total)}"
        s.step(
            f"Together that is {line}.", f"The total is {line}.", f"In all, the price is {line}."
        )
    if coupon:
        off = s.between(2, min(10, int(total) // 2))
        s.say(
            f"A coupon takes {usd(off)} off the total.",
            f"{who.he} has a coupon for {usd(off)} off.",
        )
        s.step(
            f"With the coupon, {who} pays {usd(total)} - {usd(off)} = {usd(total - off)}.",
            f"The coupon brings it to {usd(total)} - {usd(off)} = {usd(total - off)}.",
        )
        total -= off
    if not change:
        s.say(
            f"How much does {who} pay?",
            f"How many dollars does {who} spend?",
            "What is the total cost?",
        )
        return
    paid = next((bill for bill in (20, 50, 100) if bill > total), (int(total) // 50 + 1) * 50)
    s.say(f"{who.he} pays with {usd(paid)}.", f"{who.he} hands the clerk {usd(paid)}.")
    s.say(f"How much change does {who} get?", f"How many dollars does {who} get back?")
    s.step(
        f"The change is {usd(paid)} - {usd(total)} = {usd(paid - total)}.",
        f"{who} gets {usd(paid)} - {usd(total)} = {usd(paid - total)} back.",
    )


def _unit_price(s: Scene, depth: int) -> None:
    """From the price of several to the price of one, of some, to the change."""
    who = s.person()
    noun, low, high = s.pick(WARES)
    count, price = s.between(3, 9), s.price(low, high)
    total = count * price
    s.say(
        f"{noun.of(count)} cost {usd(total)}.",
        f"{who} sees that {noun.of(count)} cost {usd(total)}.",
        f"A shop sells {noun.of(count)} for {usd(total)}.",
    )
    s.step(
        f"One {noun.one} costs {usd(total)} / {count} = {usd(price)}.",
        f"Each {noun.one} costs {usd(total)} / {count} = {usd(price)}.",
    )
    if depth == 1:
        s.say(f"How much does one {noun.one} cost?", f"What is the price of one {noun.one}?")
        return
    wanted = s.pick([n for n in range(2, 13) if n != count])
    cost = wanted * price
    s.step(
        f"{noun.of(wanted)} cost {wanted} * {usd(price)} = {usd(cost)}.",
        f"So {wanted} cost {wanted} * {usd(price)} = {usd(cost)}.",
    )
    if depth == 2:
        s.say(
            f"How much do {noun.of(wanted)} cost at that price?",
            f"How much does {who} pay for {wanted}?",
        )
        return
    paid = next((bill for bill in (20, 50, 100) if bill > cost), (int(cost) // 50 + 1) * 50)
    s.say(f"{who} buys {wanted} at that price and pays with {usd(paid)}.")
    s.say("How much change is there?", f"How many dollars does {who} get back?")
    s.step(f"The change is {usd(paid)} - {usd(cost)} = {usd(paid - cost)}.")
