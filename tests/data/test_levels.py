"""Arms and visits come in the order that was declared, or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trialkit.data.levels import arm_levels, coded_labels, factor_levels, level_codes, visit_levels
from trialkit.errors import DataError, SpecError

ARMS = ["LDN 4.5 mg", "Placebo", None, "LDN 3.0 mg", "Placebo"]
VISITS = ["Week 12", "Week 2", "Baseline", "Week 2", None]


def frame_of(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_reference_leads_and_text_is_sorted() -> None:
    frame = frame_of(TRT01P=ARMS)
    assert arm_levels(frame, "TRT01P", "Placebo") == ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]
    assert arm_levels(frame, "TRT01P", "LDN 4.5 mg") == ["LDN 4.5 mg", "LDN 3.0 mg", "Placebo"]
    assert arm_levels(frame, "TRT01P", None) == ["LDN 3.0 mg", "LDN 4.5 mg", "Placebo"]


def test_categorical_order_holds_after_the_reference_and_unused_levels_are_left_out() -> None:
    order = ["LDN 4.5 mg", "never given", "LDN 3.0 mg", "Placebo"]
    frame = frame_of(TRT01P=pd.Categorical(ARMS, categories=order))
    assert arm_levels(frame, "TRT01P", "Placebo") == ["Placebo", "LDN 4.5 mg", "LDN 3.0 mg"]
    with pytest.raises(DataError, match="'never given' is not an arm"):
        arm_levels(frame, "TRT01P", "never given")


def test_string_dtype_and_numeric_arms() -> None:
    frame = frame_of(A=pd.array(["b", "a", pd.NA], dtype="string"), N=[3.0, 0.0, 4.5])
    assert arm_levels(frame, "A", "b") == ["b", "a"]
    assert arm_levels(frame, "N", 0) == [0.0, 3.0, 4.5]
    assert [type(level) for level in arm_levels(frame, "N", 0)] == [float] * 3


@pytest.mark.parametrize(
    "values",
    [
        ["b", None, "a", "b"],
        pd.array(["b", pd.NA, "a", "b"], dtype="string"),
        pd.Categorical(["b", None, "a", "b"], categories=["c", "a", "b"]),
        [2.5, np.nan, 1.0, 2.5],
        pd.array([2, pd.NA, 1, 2], dtype="Int64"),
        pd.to_datetime(["2026-02-01", None, "2026-01-01", "2026-02-01"]),
    ],
    ids=["text", "string", "categorical", "float", "Int64", "date"],
)
def test_codes_and_labels_are_the_column_again(values: object) -> None:
    column = pd.Series(values)
    codes, labels = coded_labels(column, "X")
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, -1, 1, 0]
    assert labels == column.dropna().unique().tolist()
    assert level_codes(codes, labels, labels[::-1]).tolist() == [1, -1, 0, 1]
    assert level_codes(codes, labels, labels[1:]).tolist() == [-1, -1, 0, -1]


def test_what_cannot_be_a_label_is_refused() -> None:
    with pytest.raises(DataError, match="'X' holds values that are not labels"):
        coded_labels(pd.Series([["a"], ["b"]]), "X")


def test_a_wrong_reference_lists_the_arms() -> None:
    with pytest.raises(DataError, match=r"'placebo' is not an arm .* 'LDN 3.0 mg'.*'Placebo'"):
        arm_levels(frame_of(TRT01P=ARMS), "TRT01P", "placebo")


def test_missing_empty_doubled_and_mixed_columns_are_refused() -> None:
    with pytest.raises(DataError, match="No column 'TRT01p' in the data; nearest: TRT01P"):
        arm_levels(frame_of(TRT01P=ARMS), "TRT01p", "Placebo")
    with pytest.raises(DataError, match="No column 'ZZZ' in the data; present: TRT01P"):
        arm_levels(frame_of(TRT01P=ARMS), "ZZZ", "Placebo")
    with pytest.raises(DataError, match="no value in 2 rows"):
        arm_levels(frame_of(TRT01P=[None, None]), "TRT01P", "Placebo")
    doubled = pd.DataFrame([["a", "b"]], columns=["X", "X"])
    with pytest.raises(DataError, match="stands 2 times"):
        arm_levels(doubled, "X", "a")
    with pytest.raises(DataError, match="mixes values of type int, str"):
        factor_levels(frame_of(X=["a", 1]), "X")


def test_text_visits_without_an_order_are_refused() -> None:
    with pytest.raises(DataError, match="'Week 12' sorts before 'Week 2'"):
        visit_levels(frame_of(AVISIT=VISITS), "AVISIT")
    with pytest.raises(DataError, match="visit_order="):
        visit_levels(frame_of(AVISIT=pd.array(VISITS, dtype="string")), "AVISIT")


def test_a_single_visit_needs_no_order() -> None:
    assert visit_levels(frame_of(AVISIT=["Week 12", "Week 12"]), "AVISIT") == ["Week 12"]


def test_numbers_and_categoricals_carry_their_order() -> None:
    assert visit_levels(frame_of(V=[12, 2, 0, 2]), "V") == [0, 2, 12]
    assert visit_levels(frame_of(V=pd.array([12, 2, pd.NA], dtype="Int64")), "V") == [2, 12]
    assert visit_levels(frame_of(V=[12.0, np.nan, 2.0]), "V") == [2.0, 12.0]
    categories = ["Baseline", "Week 2", "Week 8", "Week 12"]
    for ordered in (True, False):
        column = pd.Categorical(VISITS, categories=categories, ordered=ordered)
        assert visit_levels(frame_of(V=column), "V") == ["Baseline", "Week 2", "Week 12"]


def test_a_list_places_the_visits_and_must_place_them_all() -> None:
    frame = frame_of(AVISIT=VISITS)
    order = ["Baseline", "Week 2", "Week 4", "Week 12"]
    assert visit_levels(frame, "AVISIT", order) == ["Baseline", "Week 2", "Week 12"]
    with pytest.raises(DataError, match="does not place 'Week 12'"):
        visit_levels(frame, "AVISIT", ["Baseline", "Week 2"])
    with pytest.raises(SpecError, match="'Week 2' twice"):
        visit_levels(frame, "AVISIT", ["Week 2", "Week 2"])
    with pytest.raises(SpecError, match="visit_order=3 is neither a list of labels nor the name"):
        visit_levels(frame, "AVISIT", 3)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="is the column of the visits itself"):
        visit_levels(frame, "AVISIT", "AVISIT")


def test_a_given_order_overrides_the_columns_own() -> None:
    assert visit_levels(frame_of(V=[1, 2, 3]), "V", [3, 1, 2]) == [3, 1, 2]


def test_a_numeric_column_places_the_visits() -> None:
    frame = frame_of(AVISIT=VISITS, AVISITN=[12, 2, 0, 2, 99])
    assert visit_levels(frame, "AVISIT", "AVISITN") == ["Baseline", "Week 2", "Week 12"]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([12, 2, 0, 3, 99], "'Week 2' has two numbers in 'AVISITN': 2 and 3"),
        ([2, 2, 0, 2, 99], "'Week 12' and 'Week 2' share AVISITN=2"),
        ([np.nan, 2, 0, 2, 99], "'Week 12' has AVISITN=nan"),
        (["12", "2", "0", "2", "9"], "'Week 12' has AVISITN='12'"),
    ],
)
def test_an_order_column_that_does_not_order_is_refused(
    numbers: list[object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        visit_levels(frame_of(AVISIT=VISITS, AVISITN=numbers), "AVISIT", "AVISITN")


def test_an_order_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="No column 'AVISITN'"):
        visit_levels(frame_of(AVISIT=VISITS), "AVISIT", "AVISITN")


def test_text_turned_into_a_category_has_no_order_of_visits() -> None:
    text = pd.Series(["Baseline", "Week 2", "Week 8", "Week 12"])
    frame = pd.DataFrame({"AVISIT": text.astype("category")})
    with pytest.raises(DataError, match="order of the visits"):
        visit_levels(frame, "AVISIT")
    given = pd.DataFrame({"AVISIT": pd.Categorical(text, categories=text)})
    assert visit_levels(given, "AVISIT") == text.tolist()
    meant = pd.DataFrame({"AVISIT": pd.Categorical(text, ordered=True)})
    assert visit_levels(meant, "AVISIT")[1] == "Week 12"
    sound = pd.DataFrame({"AVISIT": text[:3].astype("category")})
    assert visit_levels(sound, "AVISIT") == text[:3].tolist()
