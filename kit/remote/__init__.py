"""Kaggle and Colab, there and back: what is pushed, the client that pushes it, and what comes home."""
