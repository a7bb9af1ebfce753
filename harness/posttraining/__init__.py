"""Post-training: collected data become a checkpoint with a card, by a family's trainee and a recipe."""
