"""What requests and answers look like: one module per concept, every field explained."""
