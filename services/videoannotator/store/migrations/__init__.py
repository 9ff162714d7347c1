"""The way of the schema, one file per step.

A step only adds; the next release drops what nobody reads any more.
"""
