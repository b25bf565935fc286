"""Ranks of P and TG."""
