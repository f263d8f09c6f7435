"""b12x 0.7.2's `b12x.cute.utils`, as far as it is about scale layouts."""

from b12x.quant.layout import convert_sf_from_mma_layout, convert_sf_to_mma_layout, get_mma_sf_shape

__all__ = ["ceil_div", "convert_sf_from_mma_layout", "convert_sf_to_mma_layout", "get_mma_sf_shape"]


def ceil_div(a: int, b: int) -> int:
    """The smallest integer that is not below a / b."""
    return -(-a // b)
