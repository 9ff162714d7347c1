"""PROCESS: REST, events, authentication; records what is wanted.

What may live here: everything that faces a user over HTTP. It never opens a video and never
touches a worker.
"""
