"""Inner loops of sharpening, compiled by Numba (extra `fast`).

Each does in one pass over a row of pixels, which stays in the processor's nearest cache, what `ops` and `methods` do
in several passes over strips, and gives the same values: interpolation adds up in float64, everything else is computed
in float32 in the same order. Importing Numba takes longer than sharpening a small scene: the engine loads this module
for large ones, and only where it is loaded is it used (`loops`).
"""

import numpy as np
from numba import njit

# additions of products may be contracted in the interpolation, whose last bits in float64 do not show in float32
_contracted = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"}, inline="never")
_exact = njit(nogil=True, cache=True, error_model="numpy")


@_contracted
def _rows(wide, q, group, low, weights, sums):
    """Rows 4 q to 4 q + 3 of every band, whose interpolation is that of its group g of bands at one place:
    sums[r, band] = sum over k of weights[g, q, k, r] * wide[band, low[g, q] + k].

    Four rows draw on nearly the same ones, which are taken by fours as well: sixteen products for four numbers read.
    """
    taps, width = weights.shape[2], wide.shape[2]
    sums[:] = 0.0
    for band in range(len(wide)):
        g = group[band]
        first, second, third, fourth = sums[0, band], sums[1, band], sums[2, band], sums[3, band]
        for k in range(0, taps, 4):
            w, line = weights[g, q, k : k + 4], low[g, q] + k
            a0, a1, a2, a3 = w[0, 0], w[0, 1], w[0, 2], w[0, 3]
            b0, b1, b2, b3 = w[1, 0], w[1, 1], w[1, 2], w[1, 3]
            c0, c1, c2, c3 = w[2, 0], w[2, 1], w[2, 2], w[2, 3]
            d0, d1, d2, d3 = w[3, 0], w[3, 1], w[3, 2], w[3, 3]
            row_a, row_b, row_c, row_d = (
                wide[band, line],
                wide[band, line + 1],
                wide[band, line + 2],
                wide[band, line + 3],
            )
            for x in range(width):
                a, b, c, d = row_a[x], row_b[x], row_c[x], row_d[x]
                first[x] = first[x] + a0 * a + b0 * b + c0 * c + d0 * d
                second[x] = second[x] + a1 * a + b1 * b + c1 * c + d1 * d
                third[x] = third[x] + a2 * a + b2 * b + c2 * c + d2 * d
                fourth[x] = fourth[x] + a3 * a + b3 * b + c3 * c + d3 * d


@_exact
def modulated(wide, group, low, weights, pan, mix, haze, clip, pan_mean, gain, level, least, out):
    """out_c = (E_c - L_c) r + L_c; r = (gain (P - pan_mean) + level) / sum of mix_c (E_c - L_c), 0 to 10, and 1 where
    the denominator is not above `least`; clip: no E_c - L_c below 0."""
    bands, width = len(wide), wide.shape[2]
    four, ratio = np.empty((4, bands, width)), np.empty(width, np.float32)
    zero, one, ten = np.float32(0), np.float32(1), np.float32(10)
    for i in range(len(pan)):
        if i % 4 == 0:
            _rows(wide, i // 4, group, low, weights, four)
        sums = four[i % 4]
        for x in range(width):
            ratio[x] = mix[0] * (np.float32(sums[0, x]) - haze[0])
        for c in range(1, bands):
            for x in range(width):
                ratio[x] += mix[c] * (np.float32(sums[c, x]) - haze[c])
        for x in range(width):
            r = (gain * (pan[i, x] - pan_mean) + level) / ratio[x]
            r = r if r > zero else zero
            r = r if r < ten else ten
            ratio[x] = r if ratio[x] > least else one
        for c in range(bands):
            for x in range(width):
                clear = np.float32(sums[c, x]) - haze[c]
                clear = zero if clip and clear < zero else clear
                out[c, i, x] = clear * ratio[x] + haze[c]


@_exact
def added(wide, group, low, weights, pan, mix, mean, pan_mean, gain, out):
    """out_c = E_c + gain_c ((P - pan_mean) - (sum of mix_c E_c - mean))."""
    bands, width = len(wide), wide.shape[2]
    four, detail = np.empty((4, bands, width)), np.empty(width, np.float32)
    for i in range(len(pan)):
        if i % 4 == 0:
            _rows(wide, i // 4, group, low, weights, four)
        sums = four[i % 4]
        for x in range(width):
            detail[x] = mix[0] * np.float32(sums[0, x])
        for c in range(1, bands):
            for x in range(width):
                detail[x] += mix[c] * np.float32(sums[c, x])
        for x in range(width):
            detail[x] = (pan[i, x] - pan_mean) - (detail[x] - mean)
        for c in range(bands):
            for x in range(width):
                out[c, i, x] = np.float32(sums[c, x]) + gain[c] * detail[x]


@_exact
def pyramid(wide, seen, group, low, weights, pan, gain, out):
    """out_c = E_c + gain_c (P - P_L,c)."""
    bands, width = len(wide), wide.shape[2]
    four, four_smooth = np.empty((4, bands, width)), np.empty((4, bands, width))
    for i in range(len(pan)):
        if i % 4 == 0:
            _rows(wide, i // 4, group, low, weights, four)
            _rows(seen, i // 4, group, low, weights, four_smooth)
        sums, smooth = four[i % 4], four_smooth[i % 4]
        for c in range(bands):
            for x in range(width):
                detail = pan[i, x] - np.float32(smooth[c, x])
                out[c, i, x] = np.float32(sums[c, x]) + gain[c] * detail


@_exact
def rounded(image, highest, result):
    """The image [C, H, W] rounded and saturated to an unsigned type; how many pixels were clipped in some band."""
    bands, height, width = image.shape
    zero, clipped, beyond = np.float32(0), 0, np.empty(width, np.uint8)
    for i in range(height):
        beyond[:] = 0
        for c in range(bands):
            for x in range(width):
                value = np.rint(image[c, i, x])
                beyond[x] |= not (value >= zero and value <= highest)
                value = value if value > zero else zero
                result[c, i, x] = value if value < highest else highest
        for x in range(width):
            clipped += beyond[x]
    return clipped


@_exact
def differences(image, out):
    """Of every pixel of [C, H, W] and the one before it in its row, [H, W, C]."""
    bands, height, width = image.shape
    lines = np.empty((bands, width), image.dtype)
    for i in range(height):
        for c in range(bands):
            line, row = lines[c], image[c, i]
            line[0] = row[0]
            for x in range(1, width):
                line[x] = row[x] - row[x - 1]
        row = out[i]
        for c in range(0, bands - 1, 2):  # by twos: half as many passes over the interleaved row
            a, b = lines[c], lines[c + 1]
            for x in range(width):
                row[x, c], row[x, c + 1] = a[x], b[x]
        if bands % 2:
            a = lines[bands - 1]
            for x in range(width):
                row[x, bands - 1] = a[x]
