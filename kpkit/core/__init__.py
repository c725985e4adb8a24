"""What every room stands on: numpy and the standard library only."""
