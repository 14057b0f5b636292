"""The games a league plays: our own Kuhn poker, and TextArena's by id, all behind one protocol."""
