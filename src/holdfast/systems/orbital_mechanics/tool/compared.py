"""Parts from shared folders that belong to this system's public names: fits of a given form, motion, ephemerides."""

from holdfast.baselines.pairwise import fit_masses, fit_pair_terms, fit_power_law
from holdfast.data.ephemerides import load_de421, load_horizons
from holdfast.data.series.derivatives import finite_difference_acceleration
from holdfast.data.synthetic.bodies import NEWTON, PowerLaw, accelerations, simulate

__all__ = [
    "NEWTON", "PowerLaw", "accelerations", "finite_difference_acceleration", "fit_masses", "fit_pair_terms",
    "fit_power_law", "load_de421", "load_horizons", "simulate",
]  # fmt: skip
