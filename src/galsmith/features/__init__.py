"""Learned features of galaxy images: rendering to a picture, a pretrained network, one row of numbers a galaxy."""

from galsmith.features.extraction import extract
from galsmith.features.extractors import EXTRACTORS, FeatureExtractor
from galsmith.features.feature_set import FeatureSet, read_features, write_features
from galsmith.features.rendering import Rendering, render

__all__ = [
    "EXTRACTORS",
    "FeatureExtractor",
    "FeatureSet",
    "Rendering",
    "extract",
    "read_features",
    "render",
    "write_features",
]
