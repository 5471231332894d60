"""Neighbourhood attention [nat]: every pixel attends to the k x k pixels around it, in two equal forms.

Keys outside the image are masked, so that the map commutes with translations and tiles of an image equal the
whole; the published code moves the window inwards instead, which differs within k // 2 pixels of the border. No
positional bias.
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

TILE = 8  # queries on a side that share their keys; 16 is slower
NEVER = -1e4  # in place of -inf, which makes NaN of rows without any key and overflows half precision

Attention = Callable[[Tensor, Tensor, Tensor, int, int], Tensor]


def by_tiles(q: Tensor, k: Tensor, v: Tensor, heads: int, kernel: int = 7) -> Tensor:
    """Attention of q on k and v, all [B, heads * D, H, W], in tiles of queries with the keys of a halo around them.

    One fused call over all tiles: the fast form, and the one to train with.
    """
    height, width = q.shape[-2:]
    rows, columns = ceil(height / TILE), ceil(width / TILE)
    room = (0, columns * TILE - width, 0, rows * TILE - height)
    mask = _mask(height, width, kernel, q.dtype, q.device)
    query, key, value = (
        _tiles(pad(x, room), radius, heads) for x, radius in ((q, 0), (k, kernel // 2), (v, kernel // 2))
    )
    out = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    out = out.reshape(rows, columns, q.shape[0], heads, TILE, TILE, -1).permute(2, 3, 6, 0, 4, 1, 5)
    return out.reshape(*q.shape[:2], rows * TILE, columns * TILE)[..., :height, :width]


def _tiles(x: Tensor, radius: int, heads: int) -> Tensor:
    """[B, heads * D, H, W] as [tiles, B * heads, side * side, D], side = TILE + 2 radius."""
    x = _cut(_cut(x, 3, radius), 2, radius)
    batch, channels, rows, side, columns, _ = x.shape
    x = x.reshape(batch, heads, channels // heads, rows, side, columns, side).permute(3, 5, 0, 1, 4, 6, 2)
    return x.reshape(rows * columns, batch * heads, side * side, channels // heads)


def _cut(x: Tensor, axis: int, radius: int) -> Tensor:
    """An axis of n * TILE pixels as two, n and TILE + 2 radius: blocks with the rims of their neighbours."""
    if radius == 0:
        return x.unflatten(axis, (-1, TILE))
    grown = pad(x, (0, 0) * (x.ndim - 1 - axis) + (TILE, TILE)).unflatten(axis, (-1, TILE))
    blocks = grown.shape[axis] - 2
    before = grown.narrow(axis, 0, blocks).narrow(axis + 1, TILE - radius, radius)
    after = grown.narrow(axis, 2, blocks).narrow(axis + 1, 0, radius)
    return torch.cat([before, grown.narrow(axis, 1, blocks), after], dim=axis + 1)


@lru_cache(maxsize=4)
def _mask(height: int, width: int, kernel: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What is added to the logits, [tiles, 1, queries, keys]: zero in the window and in the image, else NEVER."""
    with torch.inference_mode(False):  # it is kept, and training may ask for it next
        radius = kernel // 2
        inside = torch.ones(1, 1, height, width, device=device)
        inside = pad(inside, (0, -width % TILE, 0, -height % TILE))
        inside = _tiles(inside, radius, 1)[:, :, :, 0].bool()  # [tiles, 1, keys]
        query, key = torch.arange(TILE, device=device), torch.arange(TILE + 2 * radius, device=device)
        near = (key[None, :] - query[:, None] - radius).abs() <= radius
        window = (near[:, None, :, None] & near[None, :, None, :]).flatten(2).flatten(0, 1)
        allowed = window & inside[:, :, None, :]
        return torch.zeros(allowed.shape, dtype=dtype, device=device).masked_fill(~allowed, NEVER)


def by_shifts(q: Tensor, k: Tensor, v: Tensor, heads: int, kernel: int = 7) -> Tensor:
    """The same, one shift of the window after the other with a running maximum and sum: slower, hardly any memory."""
    radius = kernel // 2
    height, width = q.shape[-2:]
    q, k, v = (x.unflatten(1, (heads, -1)) for x in (q, k, v))
    scale = q.shape[2] ** -0.5
    around = (radius, radius, radius, radius)
    outside = pad(q.new_zeros(height, width), around, value=NEVER)
    k, v = pad(k, around), pad(v, around)
    top = q.new_full((q.shape[0], heads, 1, height, width), NEVER)
    total, out = torch.zeros_like(top), torch.zeros_like(q)
    for dy in range(kernel):
        for dx in range(kernel):
            window = (..., slice(dy, dy + height), slice(dx, dx + width))
            logit = (q * k[window]).sum(2, keepdim=True) * scale + outside[window]
            highest = torch.maximum(top, logit)
            fade, weight = (top - highest).exp(), (logit - highest).exp()
            total, out, top = total * fade + weight, out * fade + weight * v[window], highest
    return (out / total).flatten(1, 2)


FORMS: dict[str, Attention] = {"tiles": by_tiles, "shifts": by_shifts}
