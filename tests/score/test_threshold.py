"""The analysis of the paper's appendix B, on the real scores and on cases that are known."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from galsmith.cli import main
from galsmith.errors import InputError, SettingsError
from galsmith.score import count_labels, read_scores, score_threshold
from galsmith.score.threshold import upper_ends

# Upper ends of R's binom.confint(200, 1200, conf.level = 0.999) would be these by their closed forms; prop.test at 0.95
AGRESTI_COULL, PROP_TEST = 0.205139, 0.189246


@pytest.fixture(scope="module")
def real_scores(shared_data):
    return shared_data / "eth_cil_cosmology" / "extended_scored.csv"


def test_the_paper_s_numbers_come_out_on_the_real_scores(real_scores):
    found = score_threshold(read_scores(real_scores), labeled=1200, negatives=200)
    # printed by the paper's R code, appendix B
    assert (found.rank, round(found.score, 7), found.n_scored) == (2092, 0.8503561, 9600)
    assert found.interval == "agresti-coull"
    assert found.upper_end == pytest.approx(AGRESTI_COULL, abs=1e-6)


def test_the_command_says_the_same_from_counts_and_from_labels(real_scores, tmp_path, capsys):
    labels = tmp_path / "labeled.csv"
    pd.DataFrame({"Id": range(1200), "Actual": np.repeat([0.0, 1.0], [200, 1000])}).to_csv(
        labels, index=False
    )
    for given in ("--labeled 1200 --negatives 200", f"--labels {labels}"):
        assert main(["score", "threshold", str(real_scores), *given.split(), "--json"]) == 0
        numbers = json.loads(capsys.readouterr().out)["numbers"]
        assert (numbers["rank"], round(numbers["score"], 7)) == (2092, 0.8503561)


def test_prop_test_at_the_asked_confidence_would_be_the_highest(real_scores):
    ends = upper_ends(200, 1200, 0.999)
    assert ends["prop.test"] == pytest.approx(PROP_TEST, abs=1e-6)
    assert max(ends, key=ends.get) == "agresti-coull"
    # Newcombe (1998), method 4: with the correction for continuity
    z2 = stats.norm.isf(0.0005) ** 2
    share = 200.5 / 1200
    root = np.sqrt(z2 * (share * (1 - share) / 1200 + z2 / (4 * 1200**2)))
    end = (share + z2 / 2400 + root) / (1 + z2 / 1200)
    assert end > ends["agresti-coull"]
    scores = np.sort(read_scores(real_scores))
    assert stats.binom.ppf(0.999, 9600, end) == 2096
    assert scores[2095] == pytest.approx(0.8537948, abs=1e-7)


def test_the_ends_are_those_of_other_programs():
    ends = upper_ends(7, 90, 0.95)
    scipy = {"exact": "exact", "wilson": "wilson", "prop.test": "wilsoncc"}
    for name, method in scipy.items():
        known = stats.binomtest(7, 90).proportion_ci(0.95, method=method)
        assert ends[name] == pytest.approx(known.high, rel=1e-10)
    # both ends of the highest density have one density, and 95 % lie between them
    law = stats.beta(7.5, 83.5)
    low = law.ppf(law.cdf(ends["bayes"]) - 0.95)
    assert law.pdf(low) == pytest.approx(law.pdf(ends["bayes"]), rel=1e-6)


def test_more_negatives_make_a_higher_threshold():
    scores = np.linspace(0, 8, 1000)
    found = [score_threshold(scores, labeled=500, negatives=count).score for count in (10, 50, 200)]
    assert found == sorted(found)
    assert found[0] < found[2]


@pytest.mark.parametrize(("labeled", "negatives"), [(1200, 0), (1200, 1200), (1, 1)])
def test_one_class_alone_is_refused(labeled, negatives):
    with pytest.raises(SettingsError, match="wanted some of both classes"):
        score_threshold(np.ones(5), labeled=labeled, negatives=negatives)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Id,Score\n1,2\n", "has columns Id, Score; wanted Id and Actual"),
        ("Id,Actual\n", "holds no rows"),
        ("Id,Actual\na,1\na,2\n", r"1 ids are repeated: a; wanted one row an id"),
        ("Id,Actual\na,1\nb,9\nc,x\n", r"2 scores are no numbers in \[0, 8\]: b \(9\), c \(x\)"),
        ("", "cannot be read"),
    ],
)
def test_files_that_are_wrong_are_refused_in_one_line(text, said, tmp_path):
    file = tmp_path / "scored.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        read_scores(file)


def test_labels_are_0_or_1(tmp_path):
    file = tmp_path / "labeled.csv"
    file.write_text("Id,Actual\na,1.0\nb,0\nc,1\n")
    assert count_labels(file) == (3, 1)
    file.write_text("Id,Actual\na,1.0\nb,0.5\n")
    with pytest.raises(InputError, match=r"1 labels are neither 0 nor 1: b \(0.5\)"):
        count_labels(file)
