"""What stands in each kind of room, and what hangs on its walls."""
