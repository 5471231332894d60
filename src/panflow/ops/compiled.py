"""Inner loops of sharpening, compiled by Numba (extra `fast`).

Each does in one pass over a row of pixels, which stays in the processor's nearest cache, what `ops` and `methods` do
in several passes over strips, and gives the same values: interpolation adds up in float64, everything else is computed
in float32 in the same order. Importing Numba takes longer than sharpening a small scene: the engine loads this module
for large ones, and only where it is loaded is it used (`loops`).
"""

import numpy as np
from numba import njit

# additions of products may be fused in the interpolation, whose last bits in float64 do not show in float32
_fused = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"}, inline="never")
_exact = njit(nogil=True, cache=True, error_model="numpy")


@_fused
def _row(wide, i, group, start, weights, sums):
    """Row i of every band, whose interpolation is that of its group g of bands at one place: sums[c] = sum over k of
    weights[g, i, k] * wide[c, start[g, i] + k]."""
    taps, width = weights.shape[2], wide.shape[2]
    for c in range(len(wide)):
        g, line = group[c], sums[c]
        low = start[g, i]
        line[:] = 0.0
        for k in range(0, taps - 1, 2):
            a, b = weights[g, i, k], weights[g, i, k + 1]
            first, second = wide[c, low + k], wide[c, low + k + 1]
            for x in range(width):
                line[x] = line[x] + a * first[x] + b * second[x]
        if taps % 2:
            a, first = weights[g, i, taps - 1], wide[c, low + taps - 1]
            for x in range(width):
                line[x] = line[x] + a * first[x]


@_exact
def modulated(wide, group, start, weights, pan, mix, haze, clip, pan_mean, gain, level, least, out):
    """out_c = (E_c - L_c) r + L_c; r = (gain (P - pan_mean) + level) / sum of mix_c (E_c - L_c), 0 to 10, and 1 where
    the denominator is not above `least`; clip: no E_c - L_c below 0."""
    bands, width = len(wide), wide.shape[2]
    sums, ratio = np.empty((bands, width)), np.empty(width, np.float32)
    zero, one, ten = np.float32(0), np.float32(1), np.float32(10)
    for i in range(len(pan)):
        _row(wide, i, group, start, weights, sums)
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
def added(wide, group, start, weights, pan, mix, mean, pan_mean, gain, out):
    """out_c = E_c + gain_c ((P - pan_mean) - (sum of mix_c E_c - mean))."""
    bands, width = len(wide), wide.shape[2]
    sums, detail = np.empty((bands, width)), np.empty(width, np.float32)
    for i in range(len(pan)):
        _row(wide, i, group, start, weights, sums)
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
def pyramid(wide, low, group, start, weights, pan, gain, out):
    """out_c = E_c + gain_c (P - P_L,c)."""
    bands, width = len(wide), wide.shape[2]
    sums, smooth = np.empty((bands, width)), np.empty((bands, width))
    for i in range(len(pan)):
        _row(wide, i, group, start, weights, sums)
        _row(low, i, group, start, weights, smooth)
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
