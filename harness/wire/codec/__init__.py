"""Contracts to messages and back, one module a group of types.

Every type has a ``read_x(message, where)``. Small types have ``write_x(value, message, where)``, which fills a message
in place; types with images have ``write_x(value, where)``, which returns a `splice.Splice`, since filling a message
would copy the pixels. ``where`` is the path of the field for errors.
Both directions check the same limits and raise only `LimitExceeded` and `Refusal`.
"""
