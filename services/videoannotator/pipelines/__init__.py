"""The methods: one folder per pipeline, found by the entry-point group `videoannotator.pipelines`.

What may live here: `interface` and `catalogue`, and a folder per pipeline with `spec.py` (light: no
model library) and `pipeline.py` (heavy). Pipelines know nothing of each other.
"""
