"""Pose networks: one per file, a catalogue of names, their cost and their weights."""
