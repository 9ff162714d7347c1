"""Reading video and sound: probe, frames, audio.

What may live here: everything that opens a recording. Frames are RGB, uint8, (height, width, 3),
rotation applied; sound is float32 mono 16 kHz; times are presentation times in seconds. Nothing
here knows a pipeline.
"""
