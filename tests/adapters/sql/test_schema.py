"""Migrations and `schema.py` are two roads to one schema, on both databases."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from treadle.adapters.sql import open_metadata, schema
from treadle.adapters.sql.migrations import TABLE, config
from treadle.records.errors import NotReady

# Everything PostgreSQL knows of a schema's tables, columns, constraints and indexes, as text.
CATALOGUE = """
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default, collation_name
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
"""


def by_migrations(url: str) -> sa.Engine:
    open_metadata(url).close()
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def by_create_all(url: str) -> sa.Engine:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    schema.metadata.create_all(engine)
    return engine


def facts(engine: sa.Engine, query: str) -> set[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = [tuple(order(str(fact)) for fact in row) for row in connection.exec_driver_sql(query)]
    engine.dispose()
    return {row for row in rows if TABLE not in row}


def order(fact: str) -> str:
    """Sort the lines of a CREATE TABLE: the order in which constraints are declared means nothing."""
    return "\n".join(sorted(line.strip(" \t,") for line in fact.splitlines())) if "\n" in fact else fact


@pytest.fixture
def two_databases(server: str) -> list[str]:
    names = ["by_migrations", "by_create_all"]
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
    return [server.format(name) for name in names]


def test_on_sqlite(tmp_path) -> None:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    made = facts(by_migrations(f"sqlite:///{tmp_path}/a.db"), query)
    assert made == facts(by_create_all(f"sqlite:///{tmp_path}/b.db"), query)
    assert {row[1] for row in made if row[0] == "table"} - {"sqlite_sequence"} == set(schema.metadata.tables)


def test_on_postgresql(two_databases: list[str]) -> None:
    made = facts(by_migrations(two_databases[0]), CATALOGUE)
    assert made == facts(by_create_all(two_databases[1]), CATALOGUE)
    assert {row[1] for row in made if row[0] == "column"} == set(schema.metadata.tables)


def test_text_compares_by_code_point_on_postgresql(migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as connection:
        found = connection.execute(
            "SELECT DISTINCT collation_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type = 'text'"
        ).fetchall()
    assert found == [("C",)]


def test_newest_migration_is_the_one_the_code_expects() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [schema.REVISION]


def test_store_of_a_newer_treadle_is_refused_untouched(url: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {TABLE} SET version_num = '9999'")
    with pytest.raises(NotReady) as error:
        open_metadata(url)
    assert "9999" in str(error.value)
    with engine.begin() as connection:
        assert connection.exec_driver_sql(f"SELECT version_num FROM {TABLE}").scalar() == "9999"
        connection.exec_driver_sql(f"UPDATE {TABLE} SET version_num = '{schema.REVISION}'")
    engine.dispose()
    open_metadata(url).close()
