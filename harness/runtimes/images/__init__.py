"""The project's images: what is declared, how it is built, which one is here, and what it consists of."""
