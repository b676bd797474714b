"""What astronomers read of a denoiser: flux, size, shape, residuals, sky, made-up sources, coverage; then MSE."""

from galsmith.denoise.accuracy.galaxies import galaxy_errors
from galsmith.denoise.accuracy.pedestal import Pedestal, sky_pedestal
from galsmith.denoise.accuracy.quantities import QUANTITIES
from galsmith.denoise.accuracy.sources import hallucinated_sources
from galsmith.denoise.accuracy.table import Accuracy, AccuracyTable, PairedRatio, accuracy_table

__all__ = [
    "QUANTITIES",
    "Accuracy",
    "AccuracyTable",
    "PairedRatio",
    "Pedestal",
    "accuracy_table",
    "galaxy_errors",
    "hallucinated_sources",
    "sky_pedestal",
]
