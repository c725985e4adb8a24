"""What is sent to a server: profiles, writing, packing, and the check before it."""
