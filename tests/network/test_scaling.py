"""How values are scaled, and back."""

import numpy as np
import pytest
from keras import ops

from foreseq.network.scaling import CLIP, WindowScale, scaled, unscaled


def scale(count, *, compresses):
    ones = ops.ones((count, 1, 1), "float64")
    return WindowScale(20 * ones, 5 * ones, compresses)


@pytest.mark.parametrize("compresses", [False, True])
def test_what_is_scaled_comes_back(compresses):
    values = np.array([-1e6, -60.0, 19.0, 22.5, 70.0, 1e7])[:, None, None]
    window = scale(6, compresses=compresses)
    np.testing.assert_allclose(unscaled(scaled(values, window), window), values, rtol=2e-5)


def test_far_values_are_compressed_and_keep_their_order():
    z = np.array([0.0, 0.01, 1.0, CLIP, 2 * CLIP, 1e6])
    compressed = np.ravel(scaled(20 + 5 * z[:, None, None], scale(6, compresses=True)))
    np.testing.assert_allclose(compressed[:4], np.arcsinh(z[:4]), rtol=1e-5)
    assert (np.diff(compressed) > 0).all()
    assert compressed[4] < 4
