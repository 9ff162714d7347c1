"""PROCESS: the gRPC server of one worker, `python -m videoannotator.inference <pipeline>`.

What may live here: what every pipeline needs around it: serving, probing, progress, stopping, the
manifest. It holds no database password, no storage key, and knows no other worker.
"""
