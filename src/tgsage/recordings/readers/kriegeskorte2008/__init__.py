"""The RDMs of Kriegeskorte et al. 2008."""
