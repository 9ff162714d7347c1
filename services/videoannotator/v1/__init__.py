"""Compiled from protos/videoannotator/v1 by protos/build.py. Nothing else lives here."""
