"""Builds generator and trainer of `stylegan2`; the steps are those of all style-based families."""

from galsmith.models.style_based.building import StyleFamily
from galsmith.models.stylegan2.networks import Stylegan2Synthesis

_FAMILY = StyleFamily("stylegan2", Stylegan2Synthesis)
build_trainer = _FAMILY.build_trainer
build_generator = _FAMILY.build_generator
