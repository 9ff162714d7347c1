"""The SDK: a typed, synchronous client of the REST interface.

What may live here: what a program outside needs. It imports nothing of the services.
"""
