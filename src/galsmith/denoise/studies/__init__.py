"""The study of denoising: networks, shares and kinds of generated data, shifts and seeds, each against each."""

from galsmith.denoise.studies.answers import Answers
from galsmith.denoise.studies.run import StudyResult, study
from galsmith.denoise.studies.settings import TRAINING_SETS, read_study_settings, study_recipes

__all__ = ["TRAINING_SETS", "Answers", "StudyResult", "read_study_settings", "study", "study_recipes"]
