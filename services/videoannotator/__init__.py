"""VideoAnnotator: annotates research videos.

The tree below is the architecture; every package says what may live in it.
"""

__version__ = "2.0.0"
