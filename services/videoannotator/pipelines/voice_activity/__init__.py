"""Voice activity: when somebody speaks, by Silero VAD."""
