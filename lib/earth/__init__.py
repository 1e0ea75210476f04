"""Stations, catalogues, records, indices, and the synthetic worlds that stand in for them."""
