"""From splats in the world to ellipses in the picture, and gradients the way back, one splat at a time.

The perspective is linearised at the splat's centre (EWA splatting, Zwicker et al. 2001, as in Kerbl et al. 2023).
The linearisation point is held within 0.3 half-pictures of the frame, as gsplat does, so that splats far outside
do not grow without bound. The determinant of the picture covariance comes from a cross product instead of a
difference, which float32 would cancel away for needles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.harmonics import basis, slope
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
TINY = np.float32(1e-30)
CUT = np.float32(255)
"""1 / the smallest opacity that is drawn."""
LOG_SCALE_MAX = np.float32(20)
"""e^20 is far beyond any scene; larger scales would overflow the covariance."""

# Columns of the `camera` array that kernels take.
FX, FY, CX, CY, LOW_X, HIGH_X, LOW_Y, HIGH_Y, NEAR, BLUR, EYE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10


@inlined
def rotation(q: FloatArray) -> Any:
    """Rotation matrix, row by row, the unit quaternion and the inverse length of a quaternion wxyz."""
    length = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    if length > TINY:
        inverse = ONE / length
        w, x, y, z = q[0] * inverse, q[1] * inverse, q[2] * inverse, q[3] * inverse
    else:  # no direction to speak of: identity, and no gradient
        inverse = ZERO
        w, x, y, z = ONE, ZERO, ZERO, ZERO
    matrix = (
        ONE - TWO * (y * y + z * z),
        TWO * (x * y - w * z),
        TWO * (x * z + w * y),
        TWO * (x * y + w * z),
        ONE - TWO * (x * x + z * z),
        TWO * (y * z - w * x),
        TWO * (x * z - w * y),
        TWO * (y * z + w * x),
        ONE - TWO * (x * x + y * y),
    )
    return matrix, w, x, y, z, inverse


@inlined
def to_camera(view: FloatArray, m: FloatArray) -> Any:
    """A world position in camera coordinates; `view` is float32 [3, 4]."""
    return (
        view[0, 0] * m[0] + view[0, 1] * m[1] + view[0, 2] * m[2] + view[0, 3],
        view[1, 0] * m[0] + view[1, 1] * m[1] + view[1, 2] * m[2] + view[1, 3],
        view[2, 0] * m[0] + view[2, 1] * m[1] + view[2, 2] * m[2] + view[2, 3],
    )


@inlined
def scale_of(log_scale: Any) -> Any:
    """A standard deviation, held below what would overflow."""
    return np.exp(min(log_scale, LOG_SCALE_MAX))


@inlined
def axes_in_picture(
    camera: FloatArray, view: FloatArray, p: Any, matrix: Any, s: Any, v: FloatArray, r: FloatArray
) -> Any:
    """Fill `v` [3, 3] = R·M and `r` [2, 3] = J·R·M; return J's entries u0, u1, w0, w1 and the held ratios."""
    for i in range(3):
        for j in range(3):
            v[i, j] = (view[i, 0] * matrix[j] + view[i, 1] * matrix[3 + j] + view[i, 2] * matrix[6 + j]) * s[j]
    inverse_z = ONE / p[2]
    tx = min(max(p[0] * inverse_z, camera[LOW_X]), camera[HIGH_X])
    ty = min(max(p[1] * inverse_z, camera[LOW_Y]), camera[HIGH_Y])
    u0, u1 = camera[FX] * inverse_z, camera[FY] * inverse_z
    w0, w1 = -u0 * tx, -u1 * ty
    for j in range(3):
        r[0, j] = u0 * v[0, j] + w0 * v[2, j]
        r[1, j] = u1 * v[1, j] + w1 * v[2, j]
    return u0, u1, w0, w1, tx, ty


@inlined
def covariance(r: FloatArray, blur: np.float32) -> Any:
    """a, b, c of the blurred picture covariance, its determinant, and the determinant without blur."""
    a = r[0, 0] * r[0, 0] + r[0, 1] * r[0, 1] + r[0, 2] * r[0, 2]
    b = r[0, 0] * r[1, 0] + r[0, 1] * r[1, 1] + r[0, 2] * r[1, 2]
    c = r[1, 0] * r[1, 0] + r[1, 1] * r[1, 1] + r[1, 2] * r[1, 2]
    n0 = r[0, 1] * r[1, 2] - r[0, 2] * r[1, 1]
    n1 = r[0, 2] * r[1, 0] - r[0, 0] * r[1, 2]
    n2 = r[0, 0] * r[1, 1] - r[0, 1] * r[1, 0]
    sharp = n0 * n0 + n1 * n1 + n2 * n2
    det = sharp + blur * (a + c) + blur * blur
    return a + blur, b, c + blur, det, sharp


@inlined
def direction_from_eye(camera: FloatArray, m: FloatArray) -> Any:
    """Unit direction from the eye to a splat and the inverse distance."""
    x, y, z = m[0] - camera[EYE], m[1] - camera[EYE + 1], m[2] - camera[EYE + 2]
    inverse = ONE / max(np.sqrt(x * x + y * y + z * z), TINY)
    return x * inverse, y * inverse, z * inverse, inverse


@parallel_kernel
def project_all(
    view: FloatArray,
    camera: FloatArray,
    antialiased: bool,
    count: int,
    positions: FloatArray,
    log_scales: FloatArray,
    quaternions: FloatArray,
    logits: FloatArray,
    sh: FloatArray,
    xy: FloatArray,
    conic: FloatArray,
    opacity: FloatArray,
    colour: FloatArray,
    depth: FloatArray,
    extent: FloatArray,
) -> None:
    """Fill the six outputs; an extent of 0 marks what is behind the camera or too faint to draw."""
    for i in prange(len(positions)):
        # numba lifts these out of the loop: one allocation a thread
        v, r, values = np.empty((3, 3), np.float32), np.empty((2, 3), np.float32), np.empty(16, np.float32)
        p = to_camera(view, positions[i])
        depth[i] = p[2]
        extent[i, 0] = extent[i, 1] = ZERO
        if not p[2] > camera[NEAR]:
            xy[i, 0] = xy[i, 1] = opacity[i] = ZERO
            conic[i, :] = ZERO
            colour[i, :] = ZERO
            continue
        matrix = rotation(quaternions[i])[0]
        s = (scale_of(log_scales[i, 0]), scale_of(log_scales[i, 1]), scale_of(log_scales[i, 2]))
        axes_in_picture(camera, view, p, matrix, s, v, r)
        a, b, c, det, sharp = covariance(r, camera[BLUR])
        alpha = ONE / (ONE + np.exp(-logits[i]))
        if antialiased:
            alpha *= np.sqrt(sharp / det)
        inverse_z = ONE / p[2]
        xy[i, 0] = camera[FX] * p[0] * inverse_z + camera[CX]
        xy[i, 1] = camera[FY] * p[1] * inverse_z + camera[CY]
        conic[i, 0], conic[i, 1], conic[i, 2] = c / det, -b / det, a / det
        opacity[i] = alpha
        if alpha * CUT > ONE and np.isfinite(det):
            reach = np.sqrt(TWO * np.log(alpha * CUT))
            extent[i, 0], extent[i, 1] = reach * np.sqrt(a), reach * np.sqrt(c)
        x, y, z, _ = direction_from_eye(camera, positions[i])
        basis(count, x, y, z, values)
        red, green, blue = HALF, HALF, HALF
        for k in range(count):
            red += values[k] * sh[i, k, 0]
            green += values[k] * sh[i, k, 1]
            blue += values[k] * sh[i, k, 2]
        colour[i, 0], colour[i, 1], colour[i, 2] = max(red, ZERO), max(green, ZERO), max(blue, ZERO)


@inlined
def quaternion_gradient(g: FloatArray, w: Any, x: Any, y: Any, z: Any, inverse: Any, out: FloatArray) -> None:
    """From the gradient [3, 3] of the rotation matrix to that of the unnormalised quaternion."""
    gw = TWO * (x * (g[2, 1] - g[1, 2]) + y * (g[0, 2] - g[2, 0]) + z * (g[1, 0] - g[0, 1]))
    gx = TWO * (
        y * (g[0, 1] + g[1, 0]) + z * (g[0, 2] + g[2, 0]) + w * (g[2, 1] - g[1, 2]) - TWO * x * (g[1, 1] + g[2, 2])
    )
    gy = TWO * (
        x * (g[0, 1] + g[1, 0]) + z * (g[1, 2] + g[2, 1]) + w * (g[0, 2] - g[2, 0]) - TWO * y * (g[0, 0] + g[2, 2])
    )
    gz = TWO * (
        x * (g[0, 2] + g[2, 0]) + y * (g[1, 2] + g[2, 1]) + w * (g[1, 0] - g[0, 1]) - TWO * z * (g[0, 0] + g[1, 1])
    )
    along = gw * w + gx * x + gy * y + gz * z
    out[0] = (gw - along * w) * inverse
    out[1] = (gx - along * x) * inverse
    out[2] = (gy - along * y) * inverse
    out[3] = (gz - along * z) * inverse


@inlined
def covariance_gradient(
    a: Any, b: Any, c: Any, det: Any, sharp: Any, blur: Any, conic: FloatArray, through_opacity: Any
) -> Any:
    """Gradients of a, b, c from those of the conic and, when anti-aliased, of the opacity (times the opacity)."""
    q0, q1, q2 = c / det, -b / det, a / det
    g0, g1, g2 = conic[0], HALF * conic[1], conic[2]
    # -Q·G·Q for the symmetric pair
    m00, m01 = q0 * g0 + q1 * g1, q0 * g1 + q1 * g2
    m10, m11 = q1 * g0 + q2 * g1, q1 * g1 + q2 * g2
    ga = -(m00 * q0 + m01 * q1)
    gb = -(m00 * q1 + m01 * q2 + m10 * q0 + m11 * q1)
    gc = -(m10 * q1 + m11 * q2)
    if sharp > TINY:
        half = HALF * through_opacity
        ga += half * ((c - blur) / sharp - q0)
        gb -= half * TWO * (b / sharp + q1)
        gc += half * ((a - blur) / sharp - q2)
    return ga, gb, gc


@inlined
def axes_gradient(
    camera: FloatArray, p: Any, r: FloatArray, v: FloatArray, slopes: Any, factors: Any, gv: FloatArray
) -> Any:
    """Fill `gv` [3, 3] and return the gradient of the camera-space position."""
    ga, gb, gc = slopes
    u0, u1, w0, w1, tx, ty = factors
    gu0, gu1, gw0, gw1 = ZERO, ZERO, ZERO, ZERO
    for j in range(3):
        g0 = TWO * ga * r[0, j] + gb * r[1, j]
        g1 = TWO * gc * r[1, j] + gb * r[0, j]
        gv[0, j], gv[1, j], gv[2, j] = u0 * g0, u1 * g1, w0 * g0 + w1 * g1
        gu0 += g0 * v[0, j]
        gu1 += g1 * v[1, j]
        gw0 += g0 * v[2, j]
        gw1 += g1 * v[2, j]
    inverse_z = ONE / p[2]
    # w = -u·t, u = f/z, and t = p/z unless it is held at the edge
    gu0 -= gw0 * tx
    gu1 -= gw1 * ty
    gx, gy = ZERO, ZERO
    gz = -(gu0 * u0 + gu1 * u1) * inverse_z
    if camera[LOW_X] < tx < camera[HIGH_X]:
        gx = -gw0 * u0 * inverse_z
        gz -= gx * tx
    if camera[LOW_Y] < ty < camera[HIGH_Y]:
        gy = -gw1 * u1 * inverse_z
        gz -= gy * ty
    return gx, gy, gz


@inlined
def colour_gradient(
    camera: FloatArray, m: FloatArray, count: int, sh: FloatArray, g: FloatArray, values: FloatArray, out_sh: FloatArray
) -> Any:
    """Fill `out_sh` [K, 3] and return the gradient of the position through the viewing direction."""
    x, y, z, inverse = direction_from_eye(camera, m)
    basis(count, x, y, z, values)
    red, green, blue = HALF, HALF, HALF
    for k in range(count):
        red += values[k] * sh[k, 0]
        green += values[k] * sh[k, 1]
        blue += values[k] * sh[k, 2]
    red, green, blue = g[0] if red > ZERO else ZERO, g[1] if green > ZERO else ZERO, g[2] if blue > ZERO else ZERO
    for k in range(count):
        out_sh[k, 0], out_sh[k, 1], out_sh[k, 2] = values[k] * red, values[k] * green, values[k] * blue
        values[k] = sh[k, 0] * red + sh[k, 1] * green + sh[k, 2] * blue
    gx, gy, gz = slope(count, x, y, z, values)
    along = gx * x + gy * y + gz * z
    return (gx - along * x) * inverse, (gy - along * y) * inverse, (gz - along * z) * inverse


@parallel_kernel
def project_all_backward(
    view: FloatArray,
    camera: FloatArray,
    antialiased: bool,
    count: int,
    positions: FloatArray,
    log_scales: FloatArray,
    quaternions: FloatArray,
    logits: FloatArray,
    sh: FloatArray,
    extent: FloatArray,
    grad_xy: FloatArray,
    grad_conic: FloatArray,
    grad_opacity: FloatArray,
    grad_colour: FloatArray,
    grad_depth: FloatArray,
    out_positions: FloatArray,
    out_log_scales: FloatArray,
    out_quaternions: FloatArray,
    out_logits: FloatArray,
    out_sh: FloatArray,
) -> None:
    """Fill the five gradients; splats that were not drawn get zeros."""
    for i in prange(len(positions)):
        v, r, values = np.empty((3, 3), np.float32), np.empty((2, 3), np.float32), np.empty(16, np.float32)
        gv, g_rotation = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
        out_sh[i, :, :] = ZERO
        if extent[i, 0] <= ZERO:
            out_positions[i, :] = ZERO
            out_log_scales[i, :] = ZERO
            out_quaternions[i, :] = ZERO
            out_logits[i] = ZERO
            continue
        p = to_camera(view, positions[i])
        matrix, w, x, y, z, inverse = rotation(quaternions[i])
        s = (scale_of(log_scales[i, 0]), scale_of(log_scales[i, 1]), scale_of(log_scales[i, 2]))
        factors = axes_in_picture(camera, view, p, matrix, s, v, r)
        u0, u1 = factors[0], factors[1]
        a, b, c, det, sharp = covariance(r, camera[BLUR])
        alpha = ONE / (ONE + np.exp(-logits[i]))
        kept = np.sqrt(sharp / det) if antialiased else ONE
        out_logits[i] = grad_opacity[i] * kept * alpha * (ONE - alpha)
        through_opacity = grad_opacity[i] * kept * alpha if antialiased else ZERO
        slopes = covariance_gradient(a, b, c, det, sharp, camera[BLUR], grad_conic[i], through_opacity)
        gx, gy, gz = axes_gradient(camera, p, r, v, slopes, factors, gv)
        gx += grad_xy[i, 0] * u0
        gy += grad_xy[i, 1] * u1
        gz += grad_depth[i] - (grad_xy[i, 0] * u0 * p[0] + grad_xy[i, 1] * u1 * p[1]) / p[2]
        for j in range(3):
            stretch = ZERO
            for k in range(3):
                g = view[0, k] * gv[0, j] + view[1, k] * gv[1, j] + view[2, k] * gv[2, j]
                stretch += g * matrix[3 * k + j]
                g_rotation[k, j] = g * s[j]
            out_log_scales[i, j] = stretch * s[j] if log_scales[i, j] < LOG_SCALE_MAX else ZERO
        quaternion_gradient(g_rotation, w, x, y, z, inverse, out_quaternions[i])
        dx, dy, dz = colour_gradient(camera, positions[i], count, sh[i], grad_colour[i], values, out_sh[i])
        out_positions[i, 0] = dx + view[0, 0] * gx + view[1, 0] * gy + view[2, 0] * gz
        out_positions[i, 1] = dy + view[0, 1] * gx + view[1, 1] * gy + view[2, 1] * gz
        out_positions[i, 2] = dz + view[0, 2] * gx + view[1, 2] * gy + view[2, 2] * gz
