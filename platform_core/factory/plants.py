"""The master data of the made-up plants: shifts, products, lines, ideal cycle times."""

from datetime import time

from platform_core.factory.contracts import Feed, Line, Plant, Product, Shift

# slug, name, zone, plant; the first two keep the zone without and one with daylight saving in every demo.
_PLANTS = (
    ("alpha", "알파 정밀 창원공장", "Asia/Seoul", "KR01"),
    ("beta", "Beta Components Illinois", "America/Chicago", "US01"),
    ("gamma", "Gamma Werke Augsburg", "Europe/Berlin", "DE01"),
    ("delta", "Delta Castings Pune", "Asia/Kolkata", "IN01"),
)
_CATEGORIES = ("assembly", "processing", "packaging", "inspection")
_CATEGORY_NAMES = {"assembly": "조립", "processing": "가공", "packaging": "포장", "inspection": "검사"}
# Ideal seconds a piece of each line's first, second and third product; 18 s is 200 pieces an hour.
_CYCLES = ((18.0, 20.0, 24.0), (24.0, 22.5, 30.0), (12.0, 15.0, 13.5), (20.0, 25.0, 16.0))
_PRODUCTS = (
    ("브래킷 A형", "Bracket A", 3.2),
    ("하우징 B형", "Housing B", 5.75),
    ("커버 C형", "Cover C", 2.4),
    ("샤프트 D형", "Shaft D", 8.1),
    ("기어 E형", "Gear E", 6.5),
    ("밸브 F형", "Valve F", 11.25),
)

_FIXED_SHIFTS = (
    Shift("day", "주간", time(8), time(16), 1, False),
    Shift("evening", "저녁", time(16), time(0), 2, False),
    Shift("night", "야간", time(0), time(8), 3, True),
)
# The night shift crosses midnight: its last six hours belong to the date on which it began.
_CROSSING_SHIFTS = (
    Shift("day", "Day", time(6), time(14), 1, False),
    Shift("evening", "Evening", time(14), time(22), 2, False),
    Shift("night", "Night", time(22), time(6), 3, True),
)


def make_plants(tenants: int, lines: int) -> tuple[Plant, ...]:
    """The first `tenants` plants with `lines` lines each; the same arguments give the same plants."""
    return tuple(_plant(index, lines) for index in range(tenants))


def _plant(index: int, lines: int) -> Plant:
    known = index < len(_PLANTS)
    slug, name, zone, code = (
        _PLANTS[index]
        if known
        else (f"plant{index + 1}", f"Plant {index + 1}", _PLANTS[index % len(_PLANTS)][2], f"XX{index + 1:02d}")
    )
    return Plant(
        slug=slug,
        display_name=name,
        timezone=zone,
        plant_code=code,
        shifts=_FIXED_SHIFTS if index % 2 == 0 else _CROSSING_SHIFTS,
        products=_products(lines + 2),
        lines=tuple(_line(index, number) for number in range(lines)),
    )


def _products(count: int) -> dict[str, Product]:
    products: dict[str, Product] = {}
    for number in range(count):
        name, name_en, cost = _PRODUCTS[number % len(_PRODUCTS)]
        suffix = f" {number // len(_PRODUCTS) + 1}" if number >= len(_PRODUCTS) else ""
        code = f"P{number + 1:03d}"
        # As in real master data, the product's own cycle time is too slow (P001: 45 s, where its line needs 18 s);
        # only the third product of a line depends on it.
        target = 45.0 if number == 0 else _CYCLES[(number - 2) % len(_CYCLES)][2] if number >= 2 else 60.0
        products[code] = Product(code, name + suffix, name_en + suffix, cost, target, 400 + 100 * (number % 4))
    return products


def _line(plant: int, number: int) -> Line:
    category = _CATEGORIES[number % len(_CATEGORIES)]
    cycles = _CYCLES[number % len(_CYCLES)]
    code = f"L{number + 1:02d}"
    return Line(
        code=code,
        name=f"{_CATEGORY_NAMES[category]} {number + 1}라인" if plant == 0 else f"{category.title()} line {number + 1}",
        category=category,
        capacity_per_hour=int(3600 / cycles[0]),
        feed=_feed(plant, number),
        cycles={
            f"P{number + 1:03d}": cycles[0],
            f"P{number + 2:03d}": cycles[1],
            f"P{number + 3:03d}": None,  # not in dim_cycle_time: the product's own counts
        },
        equipment=(f"{code}-M1", f"{code}-M2"),
    )


def _feed(plant: int, number: int) -> Feed:
    """The first plant has an old MES on its second line, and keeps the third in a spreadsheet."""
    if plant == 0 and number == 1:
        return "mes_csv"
    if plant == 0 and number == 2:
        return "daily_report"
    return "mes_json"
