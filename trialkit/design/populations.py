"""Analysis populations from subject-level data: intention to treat, per protocol, safety.

A population is defined by a *flag* (a Y/N column such as ITTFL) or by a *rule*: intention to
treat is everyone randomised, safety everyone treated, per protocol everyone in the first (and
treated) without a major protocol deviation. Where both are given the flag decides, and a flag
that claims more than the rule allows is an error in the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from trialkit.data.coding import normal_form
from trialkit.data.levels import factor_levels
from trialkit.data.partial_dates import parse_date
from trialkit.design.population_set import MAX_NAMED, NO_ARM, Populations
from trialkit.errors import DataError, SpecError

__all__ = ["Populations", "populations"]

ITT, SAFETY, PER_PROTOCOL = "itt", "safety", "per-protocol"

_FLAGS: dict[object, bool] = {"Y": True, "N": False, True: True, False: False}

# One text a subject; "" where nothing speaks against it.
Reasons = list[str]


def populations(
    adsl: pd.DataFrame,
    *,
    subject: str,
    arm: str,
    flags: Mapping[str, str] | None = None,
    randomized: str | None = None,
    treated: str | None = None,
    actual_arm: str | None = None,
    deviations: pd.DataFrame | None = None,
    deviation_reason: str = "DVTERM",
    deviation_major: str | None = None,
) -> Populations:
    """Who belongs to each analysis population, and why the others do not.

    `adsl` has one row a subject; `arm` is the planned arm. `flags` maps a population ("itt",
    "safety", "per-protocol", or a name of your own) to its flag column, holding Y and N (or
    true and false). `randomized` and `treated` name a flag, or a date that is present for
    those who were. `actual_arm` is the treatment received, by which safety is counted.
    `deviations` has one row a protocol deviation, with the same subject column, its text in
    `deviation_reason`, and a flag of the major ones in `deviation_major` (None: all rows are
    major).

    Without flag, "itt" is everyone randomised (everyone with an arm where `randomized` is not
    given), "safety" everyone treated (defined only with `treated`), "per-protocol" everyone in
    itt, treated if known, without a major deviation (defined only with `deviations`). A missing
    flag or date counts as no, and says so in the reason.

    Raises DataError for a subject missing or twice, a value that is no flag, a flag against
    its rule, a per-protocol subject outside itt, a member without an arm, and deviations of
    unknown subjects; SpecError for columns that are not there.

    Example
    -------
    >>> import pandas as pd
    >>> from trialkit.design.populations import populations
    >>> adsl = pd.DataFrame({"USUBJID": ["1", "2", "3"], "TRT01P": ["LDN", "Placebo", "LDN"],
    ...                      "ITTFL": ["Y", "Y", "Y"], "TRTSDT": ["2024-01-10", None, "2024-02"]})
    >>> sets = populations(adsl, subject="USUBJID", arm="TRT01P", flags={"itt": "ITTFL"},
    ...                    treated="TRTSDT")
    >>> sets.frame().values.tolist()
    [['safety', '2', 'Placebo', 'not treated: TRTSDT is missing']]
    """
    if deviations is None and deviation_major is not None:
        raise SpecError("deviation_major= names a column of deviations=, which is not given.")
    flags = _checked_flags(flags)
    named = [subject, arm, randomized, treated, actual_arm, *flags.values()]
    _require(adsl, [column for column in named if column is not None], what="adsl")
    subjects = _subjects(adsl, subject)
    planned = _labels(adsl[arm])
    received: list[object] = [None] * len(planned)
    if actual_arm is not None:
        received = _labels(adsl[actual_arm])
    _check_arm_labels(planned, received, arm, actual_arm)
    against: dict[str, Reasons] = {
        ITT: _speaks_against(adsl, randomized, "not randomised")
        if randomized
        else ["" if label is not None else f"no arm: {arm} is missing" for label in planned]
    }
    if treated:
        against[SAFETY] = _speaks_against(adsl, treated, "not treated")
    reasons, definitions = _decide(adsl, flags, against, subjects, arm, randomized, treated)
    if deviations is not None or PER_PROTOCOL in flags:
        major = _major(deviations, subject, subjects, deviation_reason, deviation_major)
        reasons[PER_PROTOCOL], definitions[PER_PROTOCOL] = _per_protocol(
            adsl, flags.get(PER_PROTOCOL), reasons[ITT], against.get(SAFETY), major, subjects
        )
    _check_arms(reasons, subjects, planned, arm, received, actual_arm)
    return Populations(
        subject=subject,
        arm=arm,
        actual_arm=actual_arm,
        arms=_arms(adsl, arm, actual_arm),
        subjects=tuple(subjects),
        planned=tuple(planned),
        received=tuple(received),
        reasons={name: tuple(texts) for name, texts in reasons.items()},
        definitions=definitions,
    )


def _decide(
    adsl: pd.DataFrame,
    flags: Mapping[str, str],
    against: Mapping[str, Reasons],
    subjects: list[object],
    arm: str,
    randomized: str | None,
    treated: str | None,
) -> tuple[dict[str, Reasons], dict[str, str]]:
    """Every population but per protocol: by its flag, otherwise by its rule."""
    rules = {
        ITT: f"randomised ({randomized})" if randomized else f"with an arm ({arm})",
        SAFETY: f"treated ({treated})",
    }
    reasons: dict[str, Reasons] = {}
    definitions: dict[str, str] = {}
    for name in dict.fromkeys([ITT, SAFETY, *flags]):
        if name == PER_PROTOCOL or (name not in flags and name not in against):
            continue
        rule = against.get(name, [""] * len(subjects))
        if name in flags:
            reasons[name] = _by_flag(adsl, flags[name], rule, subjects)
            definitions[name] = f"{flags[name]} = Y"
        else:
            reasons[name], definitions[name] = rule, rules[name]
    return reasons, definitions


def _per_protocol(
    adsl: pd.DataFrame,
    flag: str | None,
    itt: Reasons,
    untreated: Reasons | None,
    major: Reasons,
    subjects: list[object],
) -> tuple[Reasons, str]:
    outside = [f"not in itt ({reason})" if reason else "" for reason in itt]
    rule = [
        "; ".join(filter(None, parts))
        for parts in zip(outside, untreated or [""] * len(itt), major, strict=True)
    ]
    if flag is not None:
        return _by_flag(adsl, flag, rule, subjects), f"{flag} = Y"
    treated = ", treated" if untreated is not None else ""
    return rule, f"in itt{treated}, without a major protocol deviation"


def _by_flag(adsl: pd.DataFrame, flag: str, rule: Reasons, subjects: list[object]) -> Reasons:
    """What excludes each subject: the rule's words where it has any, else the flag itself."""
    values = adsl[flag].tolist()
    is_in = [_flag_value(value, flag, who) for value, who in zip(values, subjects, strict=True)]
    wrong = [who for who, yes, words in zip(subjects, is_in, rule, strict=True) if yes and words]
    if wrong:
        first = rule[subjects.index(wrong[0])]
        raise DataError(
            f"{flag} is Y for {len(wrong)} subject(s) whom the data exclude: {_named(wrong)} "
            f"({wrong[0]}: {first})."
        )
    no = {False: f"{flag} = N", None: f"{flag} is missing"}
    return ["" if yes else words or no[yes] for yes, words in zip(is_in, rule, strict=True)]


def _speaks_against(adsl: pd.DataFrame, column: str, what: str) -> Reasons:
    """Per subject, `what` with the reason where a flag is not Y or a date is missing."""
    values = [None if _is_missing(value) else value for value in adsl[column].tolist()]
    present = [value for value in values if value is not None]
    if all(_is_flag(value) for value in present):
        texts = {True: "", False: f"{what}: {column} = N"}
        no_flag = f"{what}: {column} is missing"
        return [no_flag if value is None else texts[_FLAGS[value]] for value in values]
    for value in present:
        if isinstance(value, str):
            _check_date(value, column)
    return ["" if value is not None else f"{what}: {column} is missing" for value in values]


def _check_date(text: str, column: str) -> None:
    try:
        parse_date(text)
    except ValueError as problem:
        raise DataError(
            f"{column} holds {text!r}, which is neither Y, N nor a date: {problem}."
        ) from None


def _flag_value(value: object, flag: str, who: object) -> bool | None:
    """True, False, or None for a missing flag."""
    if _is_missing(value):
        return None
    if not _is_flag(value):
        raise DataError(f"{flag} of subject {who} is {value!r}; allowed: Y and N, true and false.")
    return _FLAGS[value]


def _is_flag(value: object) -> bool:
    # 1 and 0 are equal to True and False, and stand for them in data from SAS.
    return isinstance(value, str | bool | int | float) and value in _FLAGS


def _major(
    deviations: pd.DataFrame | None,
    subject: str,
    subjects: list[object],
    reason: str,
    major: str | None,
) -> Reasons:
    """The texts of each subject's major deviations."""
    if deviations is None:
        return [""] * len(subjects)
    _require(deviations, [subject, reason, *([major] if major else [])], what="deviations")
    flags = [True] * len(deviations) if major is None else deviations[major].tolist()
    texts: dict[object, list[str]] = {who: [] for who in subjects}
    rows = zip(deviations[subject].tolist(), deviations[reason].tolist(), flags, strict=True)
    for who, text, flag in rows:
        if who not in texts:
            raise DataError(f"deviations names subject {who!r}, who is not in adsl.")
        if _flag_value(flag, str(major), who):
            texts[who].append("major deviation" if _is_missing(text) else str(text).strip())
    return ["; ".join(dict.fromkeys(texts[who])) for who in subjects]


def _checked_flags(flags: Mapping[str, str] | None) -> dict[str, str]:
    if flags is None:
        return {}
    if not isinstance(flags, Mapping):
        raise SpecError(f"flags maps a population to its column, not {flags!r}.")
    for name, column in flags.items():
        if not all(isinstance(text, str) and text.strip() for text in (name, column)):
            raise SpecError(f"flags maps a population to its column, not {name!r} to {column!r}.")
    return dict(flags)


def _require(frame: pd.DataFrame, columns: Iterable[str], *, what: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise SpecError(f"{what} is a DataFrame, not {type(frame).__name__}.")
    for column in columns:
        if column not in frame:
            raise SpecError(
                f"No column {column!r} in {what}; it has {', '.join(map(str, frame.columns))}."
            )


def _subjects(adsl: pd.DataFrame, subject: str) -> list[object]:
    labels = adsl[subject].tolist()
    n_missing = sum(map(_is_missing, labels))
    if n_missing:
        raise DataError(f"{subject} is missing in {n_missing} row(s) of adsl.")
    twice = adsl[subject][adsl[subject].duplicated()].unique().tolist()
    if twice:
        raise DataError(
            f"adsl has more than one row for {len(twice)} subject(s): {_named(twice)}; "
            "populations need one row a subject."
        )
    return labels


def _labels(arms: pd.Series) -> list[object]:
    return [None if _is_missing(label) else label for label in arms.tolist()]


def _arms(adsl: pd.DataFrame, arm: str, actual_arm: str | None) -> tuple[object, ...]:
    """Planned arms, then what else was received."""
    arms = factor_levels(adsl, arm) + (factor_levels(adsl, actual_arm) if actual_arm else [])
    return tuple(label for label in dict.fromkeys(arms) if not _is_missing(label))


def _check_arm_labels(
    planned: list[object], received: list[object], arm: str, actual_arm: str | None
) -> None:
    """Labels that read as one arm and count as two would split it."""
    columns = arm if actual_arm is None else f"{arm} and {actual_arm}"
    by_form: dict[str, object] = {}
    for label in dict.fromkeys([*planned, *received]):
        if label is None:
            continue
        if label in (NO_ARM, "all"):
            raise DataError(f"{label!r} is not a label of {columns}; counts use it.")
        other = by_form.setdefault(normal_form(label), label)
        if other != label:
            raise DataError(f"{columns}: {other!r} and {label!r} read as one arm and count as two.")


def _check_arms(
    reasons: Mapping[str, Reasons],
    subjects: list[object],
    planned: list[object],
    arm: str,
    received: list[object],
    actual_arm: str | None,
) -> None:
    for name, texts in reasons.items():
        as_treated = name == SAFETY and actual_arm is not None
        labels, column = (received, actual_arm) if as_treated else (planned, arm)
        if name not in (ITT, SAFETY, PER_PROTOCOL):
            continue
        lost = [
            who
            for who, label, text in zip(subjects, labels, texts, strict=True)
            if label is None and not text
        ]
        if lost:
            raise DataError(
                f"{len(lost)} subject(s) of population {name!r} have no {column}: {_named(lost)}."
            )


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _named(subjects: list[object]) -> str:
    more = ", ..." if len(subjects) > MAX_NAMED else ""
    return ", ".join(map(str, subjects[:MAX_NAMED])) + more
