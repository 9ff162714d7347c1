"""Tests that need a Kubernetes cluster, and what brings one up; `make test` leaves them out."""
