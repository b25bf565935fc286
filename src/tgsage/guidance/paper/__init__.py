"""The paper's score and its two extremes."""
