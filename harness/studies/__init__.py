"""From finished runs to what the suite claims of itself: tables of references, range, resolution, ranks and cost."""
