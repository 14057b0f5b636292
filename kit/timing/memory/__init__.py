"""Memory before a run starts: what a transformer's training step or a stable-baselines3 run will hold, term by term."""
