from .arms import compare_arms as compare_arms
