"""The public gRPC services: a second thin face on the use cases, beside the routes.

What may live here: servicers, which take a message apart, call one use case and put its result into
a message; and the gate in front of them, which knows callers, request ids and errors.
"""
