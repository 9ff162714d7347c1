"""Bytes: videos and results, behind one interface.

What may live here: the interface, its implementations, and the one place that knows the layout
of keys.
"""
