"""How a search went."""
