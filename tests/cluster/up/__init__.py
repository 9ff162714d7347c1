"""A real Kubernetes cluster on this machine, without Docker: `make cluster`."""
