"""Self-play: language models that learn games against themselves, one file per box of the league's diagram."""
