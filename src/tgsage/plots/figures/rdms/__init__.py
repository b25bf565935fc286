"""RDMs."""
