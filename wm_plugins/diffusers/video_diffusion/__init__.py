"""What every world model built on a diffusers image-to-video pipeline shares."""
