"""Stock and customers' orders of a plant."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from platform_core.factory.contracts import Order, Period, Plant, Product, Stock
from platform_core.factory.production import dates_of

UNDERSTOCKED = "P002"
"""The product of the story: nothing comes in during the last days, and it ends below its safety stock."""
_DRY_DAYS = 6
_CUSTOMERS = ("C-1001", "C-1002", "C-1003", "C-1004")


def stocks_of(plant: Plant, period: Period) -> Iterator[Stock]:
    """One snapshot a day of each product; the first product also lies in a second warehouse."""
    for number, product in enumerate(plant.products.values()):
        yield from _stock_history(plant, period, product, "WH1", number)
    first = next(iter(plant.products.values()))
    yield from _stock_history(plant, period, first, "WH2", 0)


def _stock_history(plant: Plant, period: Period, product: Product, location: str, number: int) -> Iterator[Stock]:
    random = Random(f"{period.seed}/{plant.slug}/stock/{product.code}/{location}")
    # The second last product piles up, the last one never moves: its coverage is unknown.
    is_idle = number == len(plant.products) - 1
    daily = 0 if is_idle else product.safety_stock // 5
    stock = product.safety_stock * (4 if number == len(plant.products) - 2 else 2)
    dry_from = period.last - timedelta(days=_DRY_DAYS - 1)
    receipt: date | None = None
    issue: date | None = None
    for day in dates_of(period):
        is_dry = product.code == UNDERSTOCKED and day >= dry_from
        issued = int(daily * (0.7 + 0.6 * random.random()))
        if is_dry:
            # Down to 60% of the safety stock on the last date, in equal steps.
            left = (period.last - day).days
            target = product.safety_stock * (6 + 3 * left) // 10
            issued = max(stock - target, 0)
        elif stock - issued < product.safety_stock * 2:
            stock += daily * 3
            receipt = day
        issued = min(issued, stock)
        stock -= issued
        issue = day if issued else issue
        yield Stock(
            day=day,
            product=product.code,
            location=location,
            stock=stock,
            safety=product.safety_stock,
            reserved=min(stock, int(product.safety_stock * 0.1 * random.random())),
            in_transit=daily * 3 if is_dry else 0,
            issued=issued,
            usage=None if is_idle or number % 3 == 2 else float(daily),
            unit_cost=product.unit_cost,
            last_receipt=receipt,
            last_issue=issue,
        )


def orders_of(plant: Plant, period: Period) -> Iterator[tuple[Order, Order | None]]:
    """Each order as it was taken, and as it stood after its delivery where that came before the period's end."""
    for day in dates_of(period):
        random = Random(f"{period.seed}/{plant.slug}/orders/{day}")
        for number in range(random.randrange(2, 5)):
            yield _order(plant, period, day, number, random)


def _order(plant: Plant, period: Period, day: date, number: int, random: Random) -> tuple[Order, Order | None]:
    created = datetime.combine(day, time(9 + number, random.randrange(60)), plant.zone).astimezone(UTC)
    quantity = random.randrange(4, 40) * 50
    due = day + timedelta(days=random.randrange(2, 12))
    taken = Order(
        id=f"SO-{day:%y%m%d}-{number + 1:02d}",
        customer=random.choice(_CUSTOMERS),
        product=random.choice(list(plant.products)),
        quantity=quantity,
        delivered=0,
        due=due,
        delivered_on=None,
        priority=random.choice(("normal", "normal", "high")),
        status="open",
        created_at=created,
        version=created,
    )
    # One in five is late, one in ten comes short.
    sent = max(due + timedelta(days=random.choice((-1, 0, 0, 0, 2))), day + timedelta(days=1))
    delivered = quantity // 2 if random.random() < 0.1 else quantity
    if sent > period.last:
        return taken, None
    after = Order(
        **{name: getattr(taken, name) for name in ("id", "customer", "product", "quantity", "due", "priority")},
        delivered=delivered,
        delivered_on=sent,
        status="delivered" if delivered == quantity else "partial",
        created_at=created,
        version=datetime.combine(sent, time(17), plant.zone).astimezone(UTC),
    )
    return taken, after
