"""A pipeline for tests: does as its parameters say and appends to a journal when it works.

It is found as any third party's is: with this folder's parent on PYTHONPATH.
"""
