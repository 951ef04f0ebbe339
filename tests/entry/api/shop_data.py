"""Three weeks of parcels, always the same."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 21
PARCELS = 900
DEPOTS = ("north", "south", "east")
VANS = tuple(f"van-{n}" for n in range(12))


def shop_tables(seed: int = 3) -> dict[str, pl.DataFrame]:
    """Return the tables by name."""
    draw = random.Random(seed)
    hours = [FIRST + timedelta(hours=h) for h in range(DAYS * 24)]
    weather = [{"depot": d, "hour": h, "rain": max(0.0, draw.gauss(0.2, 1.0))} for d in DEPOTS for h in hours]
    parcels, arrivals = [], []
    moments = sorted(draw.uniform(0, DAYS * 86_400 - 1) for _ in range(PARCELS))
    for number, moment in enumerate(moments):
        asked = FIRST + timedelta(seconds=int(moment))
        parcel = {"parcel": number, "depot": draw.choice(DEPOTS), "van": draw.choice(VANS)}
        leaves = asked + timedelta(hours=1)
        parcels.append(
            {**parcel, "weight": round(draw.uniform(0.1, 20), 2), "leaves": leaves, "asked_at": asked}
        )
        late = draw.random() < (0.6 if parcel["depot"] == "north" else 0.2)
        arrivals.append({**parcel, "arrived": leaves + timedelta(hours=draw.uniform(1, 9)), "late": late})
    return {
        "parcels": pl.DataFrame(parcels),
        "weather": pl.DataFrame(weather),
        "arrivals": pl.DataFrame(arrivals),
    }


def write_shop(folder: Path, seed: int = 3) -> Path:
    """Write the tables as the shop project reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in shop_tables(seed).items():
        part = folder / f".{name}.part"
        rows.write_parquet(part)
        part.replace(folder / f"{name}.parquet")
    return folder
