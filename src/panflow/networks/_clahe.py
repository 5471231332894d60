"""Contrast-limited adaptive histogram equalisation (CLAHE) of images in [0, 1]."""

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 256


def clahe(image: Tensor, clip: float = 40.0, tiles: int = 8) -> Tensor:
    """Equalise `image` [B, C, H, W], values in [0, 1], band by band; the same shape and range out.

    The image is cut into `tiles` x `tiles` rectangles of even size (borders reflected where H or W do not
    divide). Each gets a look-up table: its 256-bin histogram, cut at `clip` times the mean bin, the surplus
    spread evenly over all bins, summed up and scaled to 0..255. A pixel is mapped by the tables of the four
    tiles whose centres surround it, blended bilinearly [clahe]. A table has no gradient: the
    result carries none.

    Differences from the textbook, kept because published weights were trained so: tables are indexed by 255 x
    but filled by 256 x, and the blending weight runs from exactly 1 to exactly 0 between the first and the
    last pixel row of a block instead of from centre to centre.
    """
    height, width = image.shape[-2:]
    tile_h, tile_w = (2 * -(-size // (2 * tiles)) for size in (height, width))  # even: half tiles are needed below
    padded = F.pad(image.detach(), (0, tile_w * tiles - width, 0, tile_h * tiles - height), mode="reflect")
    tables = _tables(padded, clip, tiles, tile_h, tile_w).to(padded.dtype)

    batch, bands = image.shape[:2]
    index = (padded * 255).long()
    bands_index = torch.arange(batch * bands, device=image.device).view(batch, bands, 1, 1)
    top, bottom, down = (a.view(-1, 1) for a in _neighbours(tile_h, tiles, padded))
    left, right, across = _neighbours(tile_w, tiles, padded)

    def mapped(row: Tensor, column: Tensor) -> Tensor:
        return tables[bands_index, row, column, index]

    upper = torch.lerp(mapped(top, left), mapped(top, right), across)
    lower = torch.lerp(mapped(bottom, left), mapped(bottom, right), across)
    return (torch.lerp(upper, lower, down) / 255)[..., :height, :width]


def _tables(padded: Tensor, clip: float, tiles: int, tile_h: int, tile_w: int) -> Tensor:
    """Look-up tables [B C, tiles, tiles, 256] with whole numbers 0..255."""
    pixels = tile_h * tile_w
    cells = padded.unflatten(-2, (tiles, tile_h)).unflatten(-1, (tiles, tile_w)).transpose(-3, -2)
    bins = (cells * BINS).long().clamp(0, BINS - 1).reshape(-1, tiles, tiles, pixels)
    counts = torch.zeros(*bins.shape[:-1], BINS, device=padded.device)
    counts.scatter_add_(-1, bins, torch.ones(bins.shape, device=padded.device))
    counts = counts.clamp(max=max(clip * pixels // BINS, 1))
    surplus = pixels - counts.sum(-1, keepdim=True)
    rest = surplus % BINS  # one more for each of the first bins
    counts = counts + (surplus - rest) / BINS + (torch.arange(BINS, device=padded.device) < rest)
    return (counts.cumsum(-1) * ((BINS - 1) / pixels)).clamp(0, BINS - 1).floor()


def _neighbours(tile: int, tiles: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel of an axis: the tiles whose centres enclose it, and the weight of the second."""
    position = torch.arange(tile * tiles, device=like.device)
    block = (position - tile // 2).div(tile, rounding_mode="floor")
    weight = (position - tile // 2).remainder(tile).to(like.dtype) / (tile - 1)
    return block.clamp(min=0), (block + 1).clamp(max=tiles - 1), weight
