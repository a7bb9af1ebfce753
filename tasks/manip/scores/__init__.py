"""How imagined views are judged."""
