"""Self-play: language models that learn games against themselves, one file per box of the diagram in docs/self-play.md."""
