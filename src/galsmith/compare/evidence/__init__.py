"""What tells two sets apart: every calibrated p value of a card, by family, corrected over all."""
