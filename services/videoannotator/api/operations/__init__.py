"""The use cases: what a caller may ask of the service. REST is a thin face on them.

What may live here: decisions and calls of stores, framework-free. Every public method is a
`use_case` and so passes the one audit hook.
"""
