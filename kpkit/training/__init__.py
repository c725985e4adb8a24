"""Plain torch training, no ray: phases, targets, losses, schedule, checkpoint, loop."""
