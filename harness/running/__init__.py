"""Running: plays a plan's episodes on worker processes, and continues where a run was cut off."""
