"""The metadata store on SQLite and PostgreSQL: `open_metadata(url)`."""

from treadle.adapters.sql.metadata import open_metadata

__all__ = ["open_metadata"]
