"""The files that other tools read: one format per module.

What may live here: writers (and readers of our own files) that turn `domain.annotations` into
bytes. No decoding of video.
"""
