"""The recordings of Cowley et al. 2023."""
