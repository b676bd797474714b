"""From observations to the scenes before point spread function and noise: networks and classical methods, one interface."""

from galsmith.denoise.denoisers import DENOISERS, denoiser_named, register_denoiser
from galsmith.denoise.method import Denoised, Denoiser, Method

__all__ = ["DENOISERS", "Denoised", "Denoiser", "Method", "denoiser_named", "register_denoiser"]
