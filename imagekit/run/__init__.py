"""Containers for people: one person, one container, one block of ten ports."""
