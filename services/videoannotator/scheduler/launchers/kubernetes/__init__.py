"""Workers as Kubernetes Jobs: the one place that knows a Kubernetes client."""
