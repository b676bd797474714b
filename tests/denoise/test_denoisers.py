"""The table of denoisers: what stands in it, and what is refused."""

import pytest

from galsmith.denoise import DENOISERS, Method, denoiser_named, register_denoiser
from galsmith.errors import SettingsError
from galsmith.settings import Settings


@pytest.mark.parametrize("name", list(DENOISERS))
def test_every_denoiser_has_a_record_that_says_what_it_is(name):
    method = denoiser_named(name)
    assert method.title
    assert method.source
    assert issubclass(method.settings, Settings)
    method.settings()  # all have defaults


def test_an_unknown_name_is_refused_with_the_near_miss():
    with pytest.raises(SettingsError, match="did you mean 'paper_resnet'"):
        denoiser_named("paper_resnt")


def test_denoisers_of_others_are_found_and_may_not_take_a_name_that_is_taken(monkeypatch):
    monkeypatch.setattr("galsmith.denoise.denoisers.DENOISERS", dict(DENOISERS))
    mine = Method("mine", Settings, lambda settings: None, needs_training=False, source="nowhere")
    register_denoiser("mine", mine)
    assert denoiser_named("mine") is mine
    with pytest.raises(SettingsError, match="mine"):
        register_denoiser("mine", mine)
