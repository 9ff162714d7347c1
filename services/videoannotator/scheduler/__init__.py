"""PROCESS: decides what runs when, starts, drives and stops workers, records what is.

What may live here: a pure core (reconcile, queue, admission) and the thin shell that acts on its
decisions.
"""
