"""Running jobs on Ray. The only room that imports ray, and only where a job starts."""
