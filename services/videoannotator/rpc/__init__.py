"""Between domain records and protobuf: convert (total, both ways), channel (how we dial), status (error <-> gRPC code).

What may live here: the only code that builds or reads protobuf messages. No process, no database, no decisions.
"""
