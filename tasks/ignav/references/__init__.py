"""What references judge the ends of a decision by, besides imagination."""
