"""Contracts to messages and back.

What has no images is mapped by `mapper`. What has some has a ``write_x(value, where)``, which returns a
`splice.Splice`, since filling a message would copy the pixels, and a ``read_x``. ``where`` is the path of the field for
errors. Both directions check the same limits and raise only `LimitExceeded` and `Refusal`.
"""
