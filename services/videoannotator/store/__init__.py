"""What is remembered: SQLAlchemy Core tables and one store per concept.

What may live here: the engine, tables, migrations and classes that turn rows into domain records
in one transaction each. Decisions live in `domain` and `scheduler`; nothing here speaks HTTP or
gRPC.
"""
