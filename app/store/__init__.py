"""The service's own tables, on SQLite or PostgreSQL: one module a table group, functions that take a `Database`."""
