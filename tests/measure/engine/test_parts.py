"""Functions that others call are lowered once, and compiled in each kernel that holds them; Python may call them too."""

import numpy as np
import pytest

from galsmith.measure.engine.compiled import compiled, compiled_sum


@compiled
def _share(values, part):
    return values[part]


@compiled
def _first(values):
    return _share(values, 0) + _share(values, len(values) - 1)


@compiled
def _doubled(values):
    result = np.empty(len(values))
    for index in range(len(values)):
        result[index] = 2.0 * values[index]
    return result


@compiled
def _row_of(image, row):
    return image[row]


@compiled
def _ends_of_rows(image):
    total = 0.0
    for row in range(image.shape[0]):
        total += _first(_doubled(_row_of(image, row)))
    return total


@compiled_sum
def _sum(values):
    total = 0.0
    for index in range(len(values)):
        total += values[index]
    return total


@compiled
def _twice_the_sum(values):
    return 2.0 * _sum(values)


def compiled_anew(kernel):
    """Compile a kernel with its parts, whatever an earlier run of these tests left in the cache."""
    kernel(np.ones((2, 2)))
    kernel.recompile()


def test_a_kernel_holds_parts_of_parts():
    image = np.arange(12.0).reshape(3, 4)
    assert _ends_of_rows(image) == 2 * (0 + 3 + 4 + 7 + 8 + 11)


def test_a_part_is_a_kernel_too_where_python_calls_it():
    assert _first(np.array([1.0, 2.0, 4.0])) == 5.0
    assert _share(np.array([1.0, 2.0]), 1) == 2.0


def test_a_part_is_compiled_once_for_all_values_of_its_arguments():
    compiled_anew(_ends_of_rows)
    assert len(_share.part.overloads) == 1


def test_a_part_cannot_be_called_from_python_by_itself():
    with pytest.raises(TypeError, match="part of kernels"):
        _share.part(np.ones(2), 0)


def test_parts_that_make_arrays_count_references_and_the_others_borrow():
    compiled_anew(_ends_of_rows)
    counted = {
        function.py_func.__name__: "NRT_" in overload.library.get_llvm_str()
        for function in (_share, _first, _doubled, _row_of)
        for overload in function.part.overloads.values()
    }
    assert counted == {"_share": False, "_first": False, "_doubled": True, "_row_of": True}


def test_arrays_survive_what_borrows_them():
    image = np.random.default_rng(3).normal(size=(50, 60))
    expected = sum(2 * (row[0] + row[-1]) for row in image)
    for _ in range(200):
        assert _ends_of_rows(image) == pytest.approx(expected, rel=1e-12)


def test_the_order_of_additions_does_not_hang_on_the_caller():
    values = np.random.default_rng(4).normal(size=1001)
    assert _twice_the_sum(values) == 2.0 * _sum(values)
