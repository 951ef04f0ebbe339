"""The point-in-time join by Feast, for `benchmarks.point_in_time --feast PYTHON`; run by an interpreter that has it.

    PYTHON benchmarks/point_in_time_feast.py FOLDER ROWS STORE

Reads the first ROWS of the rows asked about; STORE is Feast's offline store, `dask` (its default) or `duckdb`. Prints JSON.
Its registry and settings lie in a temporary folder; importing and applying the definitions are not in the time.
"""

import json
import os
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path


def main() -> None:
    folder, rows, store = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.environ["FEAST_USAGE"] = "False"
    import pandas as pd

    with tempfile.TemporaryDirectory() as home:
        feast = opened(Path(home), folder, store)
        asked = pd.read_parquet(folder / "rows.parquet").head(rows)
        names = [f"view{view}:v{view}_f{number}" for view in range(3) for number in range(5)]
        began = time.perf_counter()
        found = feast.get_historical_features(entity_df=asked, features=names).to_df()
        seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "sums": [round(float(found[f"v{view}_f0"].sum()), 3) for view in range(3)],
                "rows": len(found),
            }
        )
    )


def opened(home: Path, folder: Path, store: str):
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    settings = [
        "project: bench",
        "provider: local",
        f"registry: {home}/registry.db",
        f"offline_store: {{type: {store}}}",
        f"online_store: {{type: sqlite, path: {home}/online.db}}",
        "entity_key_serialization_version: 3",
        "telemetry: false",
    ]
    (home / "feature_store.yaml").write_text("\n".join(settings) + "\n")
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=f"view{view}",
            entities=[user],
            ttl=timedelta(days=3650),
            source=FileSource(
                name=f"source{view}",
                path=str(folder / f"view{view}.parquet"),
                timestamp_field="event_timestamp",
            ),
            schema=[
                Field(name="user_id", dtype=Int64),
                *(Field(name=f"v{view}_f{n}", dtype=Float64 if n < 3 else Int64) for n in range(5)),
            ],
        )
        for view in range(3)
    ]
    feast = FeatureStore(repo_path=str(home))
    feast.apply([user, *views])
    return feast


if __name__ == "__main__":
    main()
