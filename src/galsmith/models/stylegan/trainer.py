"""Builds generator and trainer of `stylegan`; the steps are those of all style-based families."""

from galsmith.models.style_based.building import StyleFamily
from galsmith.models.stylegan.networks import StyleganSynthesis

_FAMILY = StyleFamily("stylegan", StyleganSynthesis)
build_trainer = _FAMILY.build_trainer
build_generator = _FAMILY.build_generator
