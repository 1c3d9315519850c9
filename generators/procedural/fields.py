"""Periodic scalar fields on a canvas: gradient noise, its sums, spectral noise, warping and wrapped blur.

All fields are float32 [n, n], wrap exactly in both directions and need no statistics of the picture, so they are
the same for every thread count.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from generators.procedural.canvas import Canvas

Frequency = float | tuple[float, float]
"""Cycles over a default tile, or (down, across) for grain that runs one way."""


def smoothstep(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Rise smoothly from 0 at `low` to 1 at `high` (falls when `low` is the larger)."""
    t = x.sub(low).mul_(1.0 / (high - low)).clamp_(0.0, 1.0)
    return (t * t).mul_(t.mul_(-2.0).add_(3.0))


def mix(a: Tensor | float, b: Tensor | float, t: Tensor) -> Tensor:
    """Blend a into b by t in 0..1."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.lerp(a, b, t)
    return a + (b - a) * t


def _pair(canvas: Canvas, frequency: Frequency) -> tuple[int, int]:
    down, across = frequency if isinstance(frequency, tuple) else (frequency, frequency)
    return canvas.count(down), canvas.count(across)


def _corner_weights(position: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    scaled = position * cells
    low = scaled.floor()
    offset = scaled - low
    fade = offset * offset * offset * (offset * (offset * 6.0 - 15.0) + 10.0)
    index = low.long() % cells
    return index, (index + 1) % cells, 1.0 - fade, fade, offset, offset - 1.0


def _lattice(canvas: Canvas, name: str, down: int, across: int) -> Tensor:
    """Perlin's gradient noise (improved fade, 2002) with unit gradients, scaled to about -1..1.

    A sum of corner terms, each a product of a function of x and one of y: columns are combined on the small
    lattice first, so that each pixel costs four row copies. The lattice is shifted at random: gradient noise is 0 on
    its corners, and octaves that all had one at the tile's corner would show it.
    """
    drawn = canvas.draw(f"{name}/{down}x{across}", down * across + 2)
    angle = drawn[2:].view(down, across) * math.tau
    y, x = canvas.axes()
    y, x = y + drawn[0], x + drawn[1]
    left, right, wl, wr, ol, or_ = _corner_weights(x[0], across)
    gx, gy = angle.cos(), angle.sin()
    along_x = gx[:, left] * (wl * ol) + gx[:, right] * (wr * or_)
    along_y = gy[:, left] * wl + gy[:, right] * wr
    top, bottom, wt, wb, ot, ob = (
        part[:, None] if part.is_floating_point() else part for part in _corner_weights(y[:, 0], down)
    )
    out = torch.empty(canvas.size_px, canvas.size_px, device=canvas.device)
    for rows in canvas.bands():
        band = torch.mul(along_x[top[rows]], 1.6 * wt[rows], out=out[rows])
        band.addcmul_(along_x[bottom[rows]], 1.6 * wb[rows])
        band.addcmul_(along_y[top[rows]], 1.6 * (wt * ot)[rows])
        band.addcmul_(along_y[bottom[rows]], 1.6 * (wb * ob)[rows])
    return out


def perlin(canvas: Canvas, name: str, frequency: Frequency) -> Tensor:
    """One octave of gradient noise in about -1..1 (Perlin 1985, 2002), wrapped on the torus."""
    return _lattice(canvas, name, *_pair(canvas, frequency))


def fbm(
    canvas: Canvas, name: str, frequency: Frequency, octaves: int = 5, gain: float = 0.5, fold: str = "none"
) -> Tensor:
    """Sum octaves of gradient noise to about -1..1.

    `fold` "ridged" turns zero crossings into crests, "billow" into creases. Octaves finer than two pixels are left
    out: they would alias, and the draft would not look like the full size.
    """
    down, across = _pair(canvas, frequency)
    total, weight, amplitude = None, 0.0, 1.0
    for octave in range(octaves):
        if octave and max(down, across) > canvas.size_px // 2:
            break
        value = _lattice(canvas, f"{name}#{octave}", down, across)
        if fold == "ridged":
            value.abs_().mul_(-2.2).add_(1.0)
        elif fold == "billow":
            value.abs_().mul_(2.2).sub_(1.0)
        total = value if total is None else total.add_(value, alpha=amplitude)
        weight += amplitude * amplitude
        amplitude *= gain
        down, across = min(down * 2, canvas.size_px), min(across * 2, canvas.size_px)
    if total is None:
        raise ValueError(f"octaves is {octaves}, expected at least 1")
    return total.mul_(1.0 / math.sqrt(weight))


def grain(canvas: Canvas, name: str, frequency: Frequency = 256.0) -> Tensor:
    """Fine even noise in about -1..1, one value a cell, blended; frequencies above the pixels are capped."""
    down, across = _pair(canvas, frequency)
    return _lattice(canvas, name, min(down, canvas.size_px // 2), min(across, canvas.size_px // 2))


def spectral(canvas: Canvas, name: str, low: float, high: float, slope: float = 1.0) -> Tensor:
    """Noise with random phases and amplitude falling as frequency^-slope between two frequencies, std 1/3.

    The coefficients are laid out by frequency, so that every size samples the same continuous field.
    """
    top = min(canvas.count(high), canvas.size_px // 2 - 1)
    phase = canvas.draw(f"{name}/{canvas.count(high)}", 2 * canvas.count(high) + 1, canvas.count(high) + 1)
    middle = canvas.count(high)
    phase = phase[middle - top : middle + top + 1, : top + 1].cpu()
    fy = torch.arange(-top, top + 1, dtype=torch.float32)[:, None]
    fx = torch.arange(0, top + 1, dtype=torch.float32)[None, :]
    radius = torch.sqrt(fy * fy + fx * fx)
    amplitude = torch.where(
        (radius >= canvas.count(low)) & (radius <= canvas.count(high)), radius.clamp(min=0.5) ** -slope, torch.zeros(())
    )
    amplitude[:, 0] = 0.0
    half = torch.polar(amplitude, phase * math.tau).to(canvas.device)
    spectrum = torch.zeros(canvas.size_px, canvas.size_px // 2 + 1, dtype=torch.complex64, device=canvas.device)
    spectrum[: top + 1, : top + 1] = half[top:]
    spectrum[canvas.size_px - top :, : top + 1] = half[:top]
    power = float(amplitude.double().square().sum()) * 2.0
    canvas.check()
    wave: Tensor = torch.fft.irfft2(spectrum, s=(canvas.size_px,) * 2, norm="forward")
    return wave / (3.0 * math.sqrt(power))


def sample(field: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Read a field [n, n] bilinearly at y, x in tiles [n, n], wrapped."""
    n = field.shape[-1]
    padded = nnf.pad(field[None, None], (1, 1, 1, 1), mode="circular")
    out = torch.empty(y.shape, device=field.device)
    rows = max(1, (1 << 20) // n)
    for top in range(0, n, rows):
        part = slice(top, top + rows)
        u = torch.remainder(x[part], 1.0).mul_(2.0 * n / (n + 2)).add_(2.0 / (n + 2) - 1.0)
        v = torch.remainder(y[part], 1.0).mul_(2.0 * n / (n + 2)).add_(2.0 / (n + 2) - 1.0)
        out[part] = nnf.grid_sample(
            padded, torch.stack((u, v), -1)[None], mode="bilinear", align_corners=False, padding_mode="border"
        )[0, 0]
    return out


def warp(canvas: Canvas, field: Tensor, down: Tensor | float, across: Tensor | float) -> Tensor:
    """Shift a field by displacements in default tiles, wrapped exactly."""
    y, x = canvas.axes()
    canvas.check()
    shift = 1.0 / canvas.density
    return sample(field, (y + down * shift).expand(field.shape), (x + across * shift).expand(field.shape))


def warped_axes(
    canvas: Canvas, name: str, frequency: Frequency, amount: float, octaves: int = 2
) -> tuple[Tensor, Tensor]:
    """Give pixel coordinates [n, n] shaken by noise; `amount` is in default tiles."""
    y, x = canvas.axes()
    shift = amount / canvas.density
    down = fbm(canvas, f"{name}/down", frequency, octaves).mul_(shift).add_(y)
    across = fbm(canvas, f"{name}/across", frequency, octaves).mul_(shift).add_(x)
    return down, across


def curl(canvas: Canvas, name: str, frequency: Frequency, octaves: int = 3) -> tuple[Tensor, Tensor]:
    """Give a divergence-free displacement (down, across) of about unit size: the turned slope of a potential."""
    potential = fbm(canvas, name, frequency, octaves)
    frequency_top = max(_pair(canvas, frequency))
    gain = canvas.size_px / (8.0 * frequency_top)
    down = (potential.roll(-1, 1) - potential.roll(1, 1)).mul_(gain)
    across = (potential.roll(1, 0) - potential.roll(-1, 0)).mul_(gain)
    return down, across


def _binomial(field: Tensor) -> Tensor:
    wide = field + 0.5 * (field.roll(1, 0) + field.roll(-1, 0))
    return (wide + 0.5 * (wide.roll(1, 1) + wide.roll(-1, 1))) * 0.25


def blur(canvas: Canvas, field: Tensor, radius: float) -> Tensor:
    """Smooth a field, wrapped; `radius` (one sigma, about) in default tiles.

    Halves the picture while the radius stays above two pixels, smooths there and enlarges linearly.
    """
    canvas.check()
    sigma = radius / canvas.density * canvas.size_px
    size = canvas.size_px
    while sigma > 3.0 and size % 2 == 0 and size > 8:
        field = nnf.avg_pool2d(field[None, None], 2)[0, 0]
        sigma *= 0.5
        size //= 2
    for _ in range(max(1, round(sigma * sigma * 2.0))):
        field = _binomial(field)
    while size < canvas.size_px:
        size *= 2
        padded = nnf.pad(field[None, None], (1, 1, 1, 1), mode="circular")
        large = nnf.interpolate(padded, scale_factor=2.0, mode="bilinear", align_corners=False)
        field = large[0, 0, 2:-2, 2:-2]
    return field.contiguous()
