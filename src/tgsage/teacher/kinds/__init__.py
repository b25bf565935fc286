"""The kinds of teachers, a folder each."""
