"""p-values of Student's t against scipy's distribution, and far in the tails."""

from __future__ import annotations

import pytest
from scipy import stats

from trialkit.kernels.student_t import t_p_value


@pytest.mark.parametrize("df", [1, 4.5, 30])
@pytest.mark.parametrize("statistic", [-3.2, -0.4, 0.0, 1.7, 40.0])
def test_each_alternative_is_its_tail(statistic: float, df: float) -> None:
    expected = {
        "less": stats.t.cdf(statistic, df),
        "greater": stats.t.sf(statistic, df),
        "two-sided": 2 * stats.t.sf(abs(statistic), df),
    }
    for alternative, p_value in expected.items():
        assert t_p_value(statistic, df, alternative) == pytest.approx(p_value, rel=1e-12)
