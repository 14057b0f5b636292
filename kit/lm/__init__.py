"""Language models, tiny to large: load, generate, score, adapt; it knows no games."""
