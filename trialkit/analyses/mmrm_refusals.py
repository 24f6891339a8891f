"""A covariance that cannot be estimated, said in the names of the data."""

from __future__ import annotations

from collections.abc import Mapping

from trialkit.analyses.mmrm_options import Options
from trialkit.analyses.mmrm_roles import Roles
from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.diagnosis import CovarianceProblem

__all__ = ["named_problem"]

SIMPLER = {
    "unstructured": "'toeplitz-het', 'ante-dependence-het' or 'compound-symmetry-het'",
    "toeplitz-het": "'ar1-het', 'compound-symmetry-het' or 'toeplitz'",
    "ante-dependence-het": "'ar1-het', 'compound-symmetry-het' or 'ante-dependence'",
    "ar1-het": "'ar1'",
    "compound-symmetry-het": "'compound-symmetry'",
    "toeplitz": "'ar1' or 'compound-symmetry'",
    "ante-dependence": "'ar1'",
    "ar1": "'compound-symmetry'",
    "compound-symmetry": "'ar1'",
    "spatial-exponential": "'compound-symmetry'",
}
REASONS = {
    "unseen": "no subject was seen at {visits}, whose variance it needs",
    "never together": "no subject was seen at both {visits}, whose covariance it needs",
    "singular": (
        "a combination of {visits} has no variance left beside the fixed effects (too few "
        "subjects seen at all of them, or visits that repeat each other)"
    ),
}


def named_problem(
    problem: ConvergenceError,
    *,
    roles: Roles,
    options: Options,
    columns: Mapping[str, str | None],
) -> ConvergenceError:
    """The kernels' refusal with visits, groups and counts, and what to try."""
    n = len(roles.subjects)
    group, visit, period = columns["group"], columns["visit"], columns["period"]
    words = options.covariance_words(visit=visit, period=period)
    simpler = [f"covariance= ({SIMPLER[options.covariance]})"] if visit is not None else []
    if options.period_covariance == "unstructured":
        simpler.append("period_covariance= ('compound-symmetry')")
    advice = f"try a simpler {' or '.join(simpler)}" if simpler else "look at the data"
    if group is not None:
        advice += ", or no group="
    if not isinstance(problem, CovarianceProblem):
        return ConvergenceError(
            f"The {words} of {_count(roles)} ({n} subjects) was not estimated: "
            f"{_lower(str(problem))} You may {advice}."
        )
    reason = REASONS[problem.reason].format(visits=_named(problem, roles, visit, period))
    of_group = "" if group is None else f" of {group} {roles.groups[problem.group]!r}"
    return ConvergenceError(
        f"The {words}{of_group} cannot be estimated from "
        f"{problem.n_subjects} subjects, {problem.n_together} of them seen at all visits named "
        f"here: {reason}. You may {advice}."
    )


def _named(problem: CovarianceProblem, roles: Roles, visit: str | None, period: str | None) -> str:
    """The visits of the problem, or its periods, or its visits of periods."""
    if problem.axis == "periods":
        labels, column = roles.periods or (), period
    elif problem.axis == "visits" or period is None:
        labels, column = roles.visits, visit
    else:
        labels = roles.cells
        column = period if visit is None else f"({period}, {visit})"
    return f"{column} {', '.join(repr(labels[code]) for code in problem.visits)}"


def _count(roles: Roles) -> str:
    parts = [] if roles.visits == (None,) else [f"{len(roles.visits)} visits"]
    if roles.periods is not None:
        parts.append(f"{len(roles.periods)} periods")
    return " in ".join(parts)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
