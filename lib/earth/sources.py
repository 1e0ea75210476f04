"""Laws of a planted precursor: the field of a buried dipole and amplitude against distance (layer 1; C8)."""

import math

import numpy as np

from lib.earth.stations import dobrovolsky_km, skin_depth_km
from lib.files import InputError

LAWS = ("flat", "hattori", "dobrovolsky", "physical")
MU0_4PI = 1e-7                     # T m / A
MOMENT_AM2 = 1e12                  # of an M 5.5 event under the law `physical`, x 10^(.5 (M - 5.5)) [D]
RESISTIVITY_OHM_M = 100.0          # of the crust between source and station (B8)
MID_BAND_HZ = math.sqrt(0.01 * 0.05)


def dipole_field_nt(moment_am2, distance_km, depth_km):
    """Field at the surface of a buried vertical magnetic dipole that points down.

    Parameters
    ----------
    moment_am2 : float
        Dipole moment, A m^2.
    distance_km, depth_km : array_like
        Horizontal distance and depth.

    Returns
    -------
    toward, down : ndarray
        nT, horizontal component towards the source and downward component; without attenuation.

    Notes
    -----
    B_e = mu0 m / 4 pi 3 h rho / r^5, B_z = mu0 m / 4 pi (2 h^2 - rho^2) / r^5. Source: validity.md C8.

    Examples
    --------
    >>> toward, down = dipole_field_nt(1e12, 20.0, 20.0)
    >>> round(float(toward), 5), round(float(down), 5)
    (6.62913, 2.20971)
    """
    rho, h = np.asarray(distance_km, float) * 1e3, np.asarray(depth_km, float) * 1e3
    scale_nt = 1e9 * MU0_4PI * moment_am2 / (rho**2 + h**2) ** 2.5
    return scale_nt * 3 * h * rho, scale_nt * (2 * h**2 - rho**2)


def vertical_ratio(distance_km, depth_km):
    """Ratio of the vertical to the horizontal field of a buried vertical dipole, within +-2.

    zeta = (2 h^2 - rho^2) / (3 h rho). Negative beyond sqrt(2) depths, which tells the bearing from its
    opposite. Source: validity.md C8.

    >>> vertical_ratio([10, 20, 50], 20).round(5).tolist()
    [1.16667, 0.33333, -0.56667]
    """
    rho = np.maximum(np.asarray(distance_km, float), 1e-3)
    h = np.maximum(np.asarray(depth_km, float), 1e-3)
    return np.clip((2 * h**2 - rho**2) / (3 * h * rho), -2, 2)


def amplitude(law: str, magnitude, distance_km, depth_km, sigma0_nt: float = 0.03) -> np.ndarray:
    """Horizontal amplitude g of a precursor in units of sigma0, at snr 1.

    Parameters
    ----------
    law : {"flat", "hattori", "dobrovolsky", "physical"}
        `flat`: 10^(.5 (M - 5.5)) at any distance, to validate methods; `hattori`: 10^(.5 d) with
        d = M - 4.5 - .025 R, 0 where d < 0; `dobrovolsky`: (R/50 km)^-2 within 10^(.43 M) km;
        `physical`: an attenuated vertical dipole of 10^12 A m^2 at M 5.5.
    magnitude, distance_km, depth_km : array_like
    sigma0_nt : float
        Reference level, nT; only `physical` needs it.

    Raises
    ------
    InputError
        For an unknown law.

    Notes
    -----
    Source: validity.md C8. When not to use: as physics. 10^12 A m^2 is a loop of 10 km radius that
    carries 3 kA; snr > 0 worlds test methods, not nature.

    Examples
    --------
    >>> amplitude("flat", [5.5, 6.5], 100, 20).round(3).tolist()
    [1.0, 3.162]
    >>> amplitude("hattori", [5.0, 6.5], 40, 20).round(3).tolist()
    [0.0, 3.162]
    """
    m, r, h = np.broadcast_arrays(np.asarray(magnitude, float), distance_km, depth_km)
    if law == "flat":
        return 10 ** (0.5 * (m - 5.5))
    if law == "hattori":
        excess = m - 4.5 - 0.025 * r
        return np.where(excess >= 0, 10 ** (0.5 * excess), 0.0)
    if law == "dobrovolsky":
        return np.where(r < dobrovolsky_km(m), (np.maximum(r, 1.0) / 50) ** -2.0, 0.0)
    if law == "physical":
        toward, _ = dipole_field_nt(MOMENT_AM2 * 10 ** (0.5 * (m - 5.5)), r, h)
        skin_km = skin_depth_km(RESISTIVITY_OHM_M, MID_BAND_HZ)
        return toward * np.exp(-np.hypot(r, h) / skin_km) / sigma0_nt
    raise InputError("precursor", "amplitude_law", law, ", ".join(LAWS))
