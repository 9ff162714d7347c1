"""Between domain records and protobuf.

What may live here: the only code that builds or reads protobuf messages: convert (total, both
ways), channel (how we dial), status (error <-> gRPC code). No process, no database, no decisions.
"""
