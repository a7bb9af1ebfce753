"""Banking: asks a world model in the frozen states of a decision bank, and says how good each choice truly was."""
