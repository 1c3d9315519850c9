"""Posed photographs as other programs write them, one file for each family; `capture` chooses among them."""
