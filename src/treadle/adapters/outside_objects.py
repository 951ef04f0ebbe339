"""Objects of a bucket, listed and fetched."""

from __future__ import annotations

import obstore
from obstore.exceptions import BaseError

from treadle.adapters.storage import Options, open_bucket, split_url, unreachable
from treadle.records.outside import FileFacts


def list_objects(url: str, options: Options) -> list[FileFacts]:
    """Return what lies below a URL, sorted by path; or the object of that name, with an empty path."""
    bucket, prefix = split_url(url)
    store = open_bucket(bucket, options)
    try:
        found = [
            FileFacts(
                entry["path"][len(prefix) :].lstrip("/"),
                entry["size"],
                _stamp(entry["e_tag"], entry["last_modified"]),
            )
            for page in obstore.list(store, prefix=prefix or None, chunk_size=1_000)
            for entry in page
        ]
        if found or not prefix:
            return sorted(found, key=lambda facts: facts.path)
        entry = obstore.head(store, prefix)
    except FileNotFoundError:
        return []
    except (BaseError, OSError) as error:
        raise unreachable(url, error) from error
    return [FileFacts("", entry["size"], _stamp(entry["e_tag"], entry["last_modified"]))]


def fetch_object(url: str, options: Options) -> bytes:
    """Return the bytes of one object."""
    bucket, path = split_url(url)
    try:
        return bytes(obstore.get(open_bucket(bucket, options), path).bytes())
    except (BaseError, OSError) as error:
        raise unreachable(url, error) from error


def _stamp(tag: str | None, changed: object) -> str:
    return tag or str(changed)
