"""The decision loop: proposers, scores, revisers and the agent that joins them."""
