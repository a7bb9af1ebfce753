"""The learnt score: data from training homes, the network as it is trained, and its export (docs/learnt_score.md)."""
