"""A control plane of its own, fake nodes and fake workers, for the measurements of a cluster.

Pods are told to run by kwok, and no container is ever started: what a worker would say over gRPC
is said by one server for all of them, and their results are written by it.
"""
