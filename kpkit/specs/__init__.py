"""The four documents (recipe, ensemble, pseudo labels, submission): typed, frozen, strict."""
