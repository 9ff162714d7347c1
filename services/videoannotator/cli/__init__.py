"""The `videoannotator` command: parses, calls, prints.

What may live here: commands and their output. Whatever another program could want lives below.
"""
