"""The recordings of Cadieu et al. 2014."""
