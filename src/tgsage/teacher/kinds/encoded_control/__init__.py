"""Controls of encoded teachers."""
