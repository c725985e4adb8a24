"""What was run, as tables, pictures and one self-contained page."""
