"""Steps of the Levenberg-Marquardt method as MINPACK takes them: factorization with pivots, damping, trust radius.

After Moré, "The Levenberg-Marquardt algorithm: implementation and theory" (1978), and the routines qrfac, qrsolv and
lmpar of MINPACK (Moré, Garbow & Hillstrom 1980; this product includes software developed by the University of
Chicago, as Operator of Argonne National Laboratory). A matrix of many rows is kept transposed: each of its columns is
contiguous.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum

# what MINPACK gives as dpmpar: the rounding of a double, and its smallest normal number
EPSILON = 2.220446049250313e-16
_SMALLEST = 2.2250738585072014e-308
_SAFE_LOW, _SAFE_HIGH = 1e-280, 1e280
_MOST_DAMPINGS = 10


class LinearSystem(NamedTuple):
    """What a step is computed from.

    Attributes
    ----------
    triangle : ndarray [column, column], float64
        R of the derivatives, as `factorize` gives it.
    order : ndarray [column], int64
        The columns in the order of their pivots.
    scale : ndarray [column], float64
        Weights of the parameters in the step's length.
    turned : ndarray [column], float64
        Q's transpose times the residuals.
    """

    triangle: NDArray[np.float64]
    order: NDArray[np.int64]
    scale: NDArray[np.float64]
    turned: NDArray[np.float64]


@compiled_sum
def dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Scalar product of two one-dimensional arrays."""
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@compiled
def euclidean_norm(values: NDArray[np.float64]) -> float:
    """Length of a vector, without overflow or underflow on the way."""
    squares = dot(values, values)
    if _SAFE_LOW < squares < _SAFE_HIGH:
        return math.sqrt(squares)
    largest = 0.0
    for value in values:
        largest = max(largest, abs(value))
    if math.isnan(squares) or largest == 0.0 or not math.isfinite(largest):
        return squares
    total = 0.0
    for value in values:
        total += (value / largest) ** 2
    return largest * math.sqrt(total)


@compiled_sum
def _multiply(values: NDArray[np.float64], factor: float) -> None:
    """Multiply a vector in place."""
    for i in range(values.size):
        values[i] *= factor


@compiled_sum
def _mirror(values: NDArray[np.float64], normal: NDArray[np.float64]) -> None:
    """Householder's reflection of a vector in place; the normal's first element is half of its squared length."""
    total = 0.0
    for i in range(values.size):
        total += normal[i] * values[i]
    factor = total / normal[0]
    for i in range(values.size):
        values[i] -= factor * normal[i]


@compiled
def product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Element by element."""
    result = np.empty(left.size)
    for i in range(left.size):
        result[i] = left[i] * right[i]
    return result


@compiled
def factorize(
    columns: NDArray[np.float64],
    residuals: NDArray[np.float64],
    order: NDArray[np.int64],
    norms: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factorize a matrix as Q R with pivots (Householder), and turn a vector by Q's transpose.

    Parameters
    ----------
    columns : ndarray [column, row], float64
        The matrix, transposed; is overwritten.
    residuals : ndarray [row], float64
        The vector; is overwritten.
    order : ndarray [column], int64
        Is overwritten by the columns in the order of their pivots.
    norms : ndarray [column], float64
        Is overwritten by the length of each column, in the old order.

    Returns
    -------
    triangle : ndarray [column, column], float64
        R, 0 below its diagonal.
    turned : ndarray [column], float64
        The first elements of Q's transpose times the vector.
    """
    n = columns.shape[0]
    for k in range(n):
        norms[k] = euclidean_norm(columns[k])
        order[k] = k
    left = norms.copy()
    reference = norms.copy()
    triangle = np.zeros((n, n))
    turned = np.empty(n)
    for k in range(n):
        # qrfac: the column of largest remaining norm into the pivot position
        _bring_longest(columns, left, reference, order, k)
        diagonal = _reflect(columns, left, reference, k)
        if columns[k, k] != 0.0:
            _mirror(residuals[k:], columns[k, k:])
        for i in range(k):
            triangle[i, k] = columns[k, i]
        triangle[k, k] = diagonal
        turned[k] = residuals[k]
    return triangle, turned


@compiled
def _bring_longest(
    columns: NDArray[np.float64],
    left: NDArray[np.float64],
    reference: NDArray[np.float64],
    order: NDArray[np.int64],
    k: int,
) -> None:
    """Swap column k with the one of which most is left."""
    longest = k
    for j in range(k, left.size):
        if left[j] > left[longest]:
            longest = j
    if longest == k:
        return
    for i in range(columns.shape[1]):
        columns[k, i], columns[longest, i] = columns[longest, i], columns[k, i]
    left[longest] = left[k]
    reference[longest] = reference[k]
    order[k], order[longest] = order[longest], order[k]


@compiled
def _reflect(
    columns: NDArray[np.float64], left: NDArray[np.float64], reference: NDArray[np.float64], k: int
) -> float:
    """Householder's reflection that empties column k below row k, applied to the columns after it; R's diagonal."""
    length = euclidean_norm(columns[k, k:])
    if length == 0.0:
        return -length
    # qrfac: the sign that avoids cancellation in 1 + v_k
    if columns[k, k] < 0.0:
        length = -length
    _multiply(columns[k, k:], 1.0 / length)
    columns[k, k] += 1.0
    for j in range(k + 1, columns.shape[0]):
        _mirror(columns[j, k:], columns[k, k:])
        if left[j] != 0.0:
            ratio = columns[j, k] / left[j]
            left[j] *= math.sqrt(max(0.0, 1.0 - ratio * ratio))
            # qrfac's p05: recompute a norm from which too much was taken away
            if 0.05 * (left[j] / reference[j]) ** 2 <= EPSILON:
                left[j] = euclidean_norm(columns[j, k + 1 :])
                reference[j] = left[j]
    return -length


@compiled
def damped_step(system: LinearSystem, radius: float, damping: float, step: NDArray[np.float64]) -> float:
    """Find the damping with which the step is as long as the trust radius, within a tenth.

    Parameters
    ----------
    system : LinearSystem
        Factorized.
    radius : float
        Longest step.
    damping : float
        The last one, 0 at first.
    step : ndarray [column], float64
        Is overwritten; the parameters change by minus this.

    Returns
    -------
    float
        The damping, 0 where the full step is short enough.
    """
    triangle, order, scale, turned = system
    rank = _gauss_newton(triangle, order, turned, step)
    scaled = product(scale, step)
    length = euclidean_norm(scaled)
    excess = length - radius
    # lmpar: the Gauss-Newton step is inside the trust region, par = 0
    if excess <= 0.1 * radius:
        return 0.0
    lower = 0.0
    # lmpar: without full rank the lower bound stays 0
    if rank == order.size:
        lower = _least_damping(triangle, order, product(scale, scaled), length, excess / radius)
    upper, gradient = _greatest_damping(system, radius)
    # lmpar: into (parl, paru), else gnorm / dxnorm
    damping = min(max(damping, lower), upper)
    if damping == 0.0:
        damping = gradient / length
    for attempt in range(1, _MOST_DAMPINGS + 1):
        if damping == 0.0:
            # lmpar: par = max(dwarf, p001 paru)
            damping = max(_SMALLEST, 0.001 * upper)
        factor = _solve_damped(system, math.sqrt(damping), step)
        scaled = product(scale, step)
        length = euclidean_norm(scaled)
        before = excess
        excess = length - radius
        # lmpar's exceptional case: parl = 0 and fp <= temp < 0, temp the excess before
        is_cornered = lower == 0.0 and excess <= before < 0.0
        if abs(excess) <= 0.1 * radius or is_cornered or attempt == _MOST_DAMPINGS:
            break
        # lmpar: held between its two bounds
        correction = _newton_correction(factor, order, product(scale, scaled), length, excess / radius)
        lower, upper = _narrowed(lower, upper, damping, excess)
        damping = max(lower, damping + correction)
    return damping


@compiled
def _narrowed(lower: float, upper: float, damping: float, excess: float) -> tuple[float, float]:
    """Bounds of the damping, once one is known to make the step too long or too short by `excess`."""
    if excess > 0.0:
        return max(lower, damping), upper
    return lower, min(upper, damping)


@compiled
def _gauss_newton(
    triangle: NDArray[np.float64],
    order: NDArray[np.int64],
    turned: NDArray[np.float64],
    step: NDArray[np.float64],
) -> int:
    """Undamped step, by back substitution in the part of R that is not singular; that part's size."""
    n = order.size
    rank = n
    for k in range(n):
        # lmpar: a singular R is used up to its first zero
        if triangle[k, k] == 0.0:
            rank = k
            break
    solution = turned.copy()
    for k in range(rank, n):
        solution[k] = 0.0
    for k in range(rank - 1, -1, -1):
        solution[k] /= triangle[k, k]
        for i in range(k):
            solution[i] -= triangle[i, k] * solution[k]
    for k in range(n):
        step[order[k]] = solution[k]
    return rank


@compiled
def _least_damping(
    triangle: NDArray[np.float64],
    order: NDArray[np.int64],
    direction: NDArray[np.float64],
    length: float,
    excess: float,
) -> float:
    """Newton's step from damping 0, a lower bound where R is not singular."""
    slope = np.empty(order.size)
    for k in range(order.size):
        total = 0.0
        for i in range(k):
            total += triangle[i, k] * slope[i]
        slope[k] = (direction[order[k]] / length - total) / triangle[k, k]
    return excess / dot(slope, slope)


@compiled
def _greatest_damping(system: LinearSystem, radius: float) -> tuple[float, float]:
    """Upper bound of the damping, and the length of the scaled gradient."""
    triangle, order, scale, turned = system
    gradient = np.empty(order.size)
    for k in range(order.size):
        total = 0.0
        for i in range(k + 1):
            total += triangle[i, k] * turned[i]
        gradient[k] = total / scale[order[k]]
    length = euclidean_norm(gradient)
    upper = length / radius
    # lmpar takes the smallest number over the radius, or over a tenth, for a bound of zero
    if upper == 0.0:
        upper = _SMALLEST / min(radius, 0.1)
    return upper, length


@compiled
def _newton_correction(
    factor: NDArray[np.float64],
    order: NDArray[np.int64],
    direction: NDArray[np.float64],
    length: float,
    excess: float,
) -> float:
    """Change of the damping that Newton's method proposes, from the triangle of the damped problem."""
    n = order.size
    slope = np.empty(n)
    for k in range(n):
        slope[k] = direction[order[k]] / length
    for k in range(n):
        slope[k] /= factor[k, k]
        for i in range(k + 1, n):
            slope[i] -= factor[k, i] * slope[k]
    return excess / dot(slope, slope)


@compiled
def _solve_damped(
    system: LinearSystem, root_damping: float, step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Least-squares step with a diagonal appended below R, by Givens rotations; the new triangle."""
    triangle, order, scale, turned = system
    n = order.size
    factor = triangle.copy()
    right = turned.copy()
    for k in range(n):
        row = np.zeros(n)
        # qrsolv: row k of the diagonal, rotated into R and Q^T b
        row[k] = root_damping * scale[order[k]]
        _rotate_away(factor, right, row, k)
    rank = n
    for k in range(n):
        if factor[k, k] == 0.0 and rank == n:
            rank = k
        if rank < n:
            right[k] = 0.0
    for k in range(rank - 1, -1, -1):
        total = 0.0
        for i in range(k + 1, rank):
            total += factor[k, i] * right[i]
        right[k] = (right[k] - total) / factor[k, k]
    for k in range(n):
        step[order[k]] = right[k]
    return factor


@compiled
def _rotate_away(
    factor: NDArray[np.float64], right: NDArray[np.float64], row: NDArray[np.float64], first: int
) -> None:
    """Turn one appended row into the triangle, element by element."""
    beyond = 0.0
    for k in range(first, row.size):
        if row[k] == 0.0:
            continue
        if abs(factor[k, k]) < abs(row[k]):
            cotangent = factor[k, k] / row[k]
            # qrsolv: the branch that cannot overflow
            sine = 0.5 / math.sqrt(0.25 + 0.25 * cotangent * cotangent)
            cosine = sine * cotangent
        else:
            tangent = row[k] / factor[k, k]
            cosine = 0.5 / math.sqrt(0.25 + 0.25 * tangent * tangent)
            sine = cosine * tangent
        factor[k, k] = cosine * factor[k, k] + sine * row[k]
        right[k], beyond = cosine * right[k] + sine * beyond, cosine * beyond - sine * right[k]
        for i in range(k + 1, row.size):
            factor[k, i], row[i] = (
                cosine * factor[k, i] + sine * row[i],
                cosine * row[i] - sine * factor[k, i],
            )


# a step that gains this share of what was promised is taken
ENOUGH_REDUCTION = 1e-4
# the first steps may be so many times as long as the scaled parameters
FIRST_RADIUS = 100.0


class Success(NamedTuple):
    """How the squared residuals changed, as shares: really, as promised, one over the other; the promised slope."""

    actual: float
    predicted: float
    ratio: float
    slope: float


@compiled
def adjusted_radius(
    radius: float, damping: float, length: float, success: Success, growth: float
) -> tuple[float, float]:
    """Trust radius and damping after a step of a length, by which the residuals grew."""
    # lmdif: p25, and the step bound shortened by half to a tenth
    if success.ratio <= 0.25:
        factor = 0.5
        if success.actual < 0.0:
            # lmdif: temp = p5 dirder / (dirder + p5 actred)
            factor = 0.5 * success.slope / (success.slope + 0.5 * success.actual)
        # lmdif: p1 fnorm1 >= fnorm, or temp < p1
        if growth >= 10.0 or factor < 0.1:
            factor = 0.1
        return factor * min(radius, 10.0 * length), damping / factor
    # lmdif: after a full step, or one as good as promised, the radius is twice its length
    if damping == 0.0 or success.ratio >= 0.75:
        return 2.0 * length, 0.5 * damping
    return radius, damping
