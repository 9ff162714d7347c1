"""Launchers start, observe and terminate workers.

What may live here: one interface, and one module or folder per implementation.
"""
