"""Run folders: what a run keeps on disk, and the only place where that is read or written."""
