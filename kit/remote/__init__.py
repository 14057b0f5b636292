"""Kaggle and Colab, there and back: what is pushed, and what comes home."""
