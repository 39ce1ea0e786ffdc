"""What differs between the two generations of the official client, chosen in one place."""

import huggingface_hub

IS_FIRST_GENERATION = huggingface_hub.__version__.startswith("1.")

# 2.x carries its HTTP library under a name of its own; 1.x uses httpx itself.
if IS_FIRST_GENERATION:
    from httpx import TransportError
else:
    from httpx2 import TransportError

# 1.x sends the request for the first page of a listing once; 2.x tries it again, as both do with
# the pages after it.
RETRIES_FIRST_PAGE = not IS_FIRST_GENERATION

__all__ = ["RETRIES_FIRST_PAGE", "TransportError"]
