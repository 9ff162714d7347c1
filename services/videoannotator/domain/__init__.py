"""Words and rules: records, states, errors, failure codes.

What may live here: frozen records, enumerations, tables and pure functions on them. Standard
library only, no I/O, no clock (`now` is an argument), nothing that knows HTTP, gRPC, SQL or a file.
"""
