"""The documents (recipe, ensemble, pseudo labels, submission, study): typed, frozen, strict."""
