"""What differs between the two generations of the official client, chosen in one place."""

import huggingface_hub

# 2.x carries its HTTP library under a name of its own; 1.x uses httpx itself.
if huggingface_hub.__version__.startswith("1."):
    from httpx import TransportError
else:
    from httpx2 import TransportError

__all__ = ["TransportError"]
