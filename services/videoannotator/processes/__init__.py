"""What every process of ours has: an end that is asked for, and probes that tell how it is.

What may live here: what api, scheduler and one machine's server share because they are processes;
nothing of what they are for.
"""
