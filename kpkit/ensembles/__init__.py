"""Several networks as one: members, their agreement, the streaming blend."""
