"""Contracts to messages and back, one module a group of types.

Every type has ``write_x(value, message, where)``, which fills a message in place (a submessage handed over whole
would be copied, pixels included), and ``read_x(message, where)``. ``where`` is the path of the field for errors.
Both directions check the same limits and raise only `LimitExceeded` and `Refusal`.
"""
