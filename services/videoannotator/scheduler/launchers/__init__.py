"""Launchers start, observe and terminate workers: one interface, one module or folder per implementation."""
