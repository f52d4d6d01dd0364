"""Images: photos of products in the sizes of the shop."""

from __future__ import annotations

from flaskiq.dev.demo.dice import happens, work
from flaskiq.endings import Discard
from flaskiq.worker import Worker


class ResizeImage(Worker):
    """Quick; sometimes the product is gone by the time, which is nobody's fault."""

    name = "shop.ResizeImage"

    @classmethod
    def perform(cls, product: str, width: int, height: int) -> str:
        """Write one size of the photo of a product; return its path."""
        work(0.01, 0.05)
        if happens(0.01):
            raise Discard(f"{product} was deleted meanwhile")
        return f"images/{product}/{width}x{height}.webp"
