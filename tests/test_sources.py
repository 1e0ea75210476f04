"""Source and amplitude laws (validity.md C8)."""

import numpy as np
import pytest

from lib.earth import sources
from lib.files import InputError


@pytest.mark.parametrize(("distance_km", "toward", "down", "ratio"), [
    (10, 10.7331, 12.5220, 1.16667),
    (20, 6.62913, 2.20971, 0.33333),
    (50, 0.662409, -0.375365, 0.56667),
    (100, 0.0543964, -0.0834074, 1.53333)])
def test_dipole_golden_values(distance_km, toward, down, ratio):
    """T-C8a: 10^12 A m^2 at 20 km depth."""
    b_e, b_z = sources.dipole_field_nt(1e12, distance_km, 20)
    # six printed digits; the last of .0543964 is a misprint of .0543961 (3 h rho : 2 h^2 - rho^2 = 60 : 92)
    assert b_e == pytest.approx(toward, rel=1e-5) and b_z == pytest.approx(down, rel=1e-5)
    assert abs(b_z / b_e) == pytest.approx(ratio, abs=5e-6)
    assert sources.vertical_ratio(distance_km, 20) == pytest.approx(b_z / b_e, rel=1e-9)


def test_vertical_field_vanishes_at_root_two_depths():
    """The sign change that makes a bearing identifiable mod 360 degrees (C8)."""
    assert sources.dipole_field_nt(1e12, 20 * 2**0.5, 20)[1] == pytest.approx(0, abs=1e-12)
    assert sources.vertical_ratio(28, 20) > 0 > sources.vertical_ratio(29, 20)


def test_vertical_ratio_is_clipped():
    np.testing.assert_array_equal(sources.vertical_ratio([0, 1e4], 20), [2, -2])


def test_dipole_field_by_finite_differences_of_its_potential():
    """B = -grad V with V = mu0 m cos / (4 pi r^2), moment down: an independent derivation."""
    m, h, rho, step = 1e12, 20e3, 35e3, 1.0

    def potential(x, z):                                # source at the origin, z down
        return 1e-7 * m * z / (x**2 + z**2) ** 1.5

    x, z = rho, -h                                      # the station is above the source
    away = -(potential(x + step, z) - potential(x - step, z)) / (2 * step)
    down = -(potential(x, z + step) - potential(x, z - step)) / (2 * step)
    b_e, b_z = sources.dipole_field_nt(m, rho / 1e3, h / 1e3)
    assert b_e == pytest.approx(-away * 1e9, rel=1e-5)  # towards the source
    assert b_z == pytest.approx(down * 1e9, rel=1e-5)


def test_hattori_law_ends_at_the_published_radii():
    """B8: M5 20, M5.5 40, M6 60, M7 100 km; amplitude 1 on the line and 0 beyond."""
    magnitude, radius = np.array([5, 5.5, 6, 7]), np.array([20, 40, 60, 100])
    np.testing.assert_allclose(sources.amplitude("hattori", magnitude, radius - 1e-9, 20), 1, rtol=1e-6)
    np.testing.assert_array_equal(sources.amplitude("hattori", magnitude, radius + 0.1, 20), 0)


def test_dobrovolsky_law():
    """(R / 50 km)^-2 within 10^(.43 M) km: 141 km at M 5."""
    g = sources.amplitude("dobrovolsky", 5, [50, 100, 141, 142], 20)
    np.testing.assert_allclose(g, [1, 0.25, (141 / 50) ** -2, 0])


def test_physical_law_is_the_attenuated_dipole():
    """10^12 A m^2 at M 5.5; skin depth 503.3 sqrt(100 / .02236) m = 33.7 km at mid-band."""
    g = sources.amplitude("physical", 5.5, 50, 20, sigma0_nt=0.03)
    assert g == pytest.approx(0.662409 / 0.03 * np.exp(-np.hypot(50, 20) / 33.66), rel=2e-3)
    assert sources.amplitude("physical", 6.5, 50, 20) / g == pytest.approx(10**0.5)


def test_unknown_law_is_refused():
    with pytest.raises(InputError, match="flat, hattori, dobrovolsky, physical"):
        sources.amplitude("inverse", 5, 50, 20)
