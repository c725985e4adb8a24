"""PoseFix: poses with drawn errors to learn from, the network's maps and losses, refinement of poses."""
