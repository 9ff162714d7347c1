"""Writes docs/reference out of the program: `make reference`. A development tool, not packaged."""
