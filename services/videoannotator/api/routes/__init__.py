"""REST: thin faces on the use cases. A module per concept."""
