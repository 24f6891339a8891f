"""A covariance that cannot be estimated, said in the names of the data."""

from __future__ import annotations

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
    problem: ConvergenceError, *, roles: Roles, options: Options, group: str | None, visit: str
) -> ConvergenceError:
    """The kernels' refusal with visits, groups and counts, and what to try."""
    n = len(roles.subjects)
    advice = f"try a simpler covariance= ({SIMPLER[options.covariance]})"
    if group is not None:
        advice += ", or no group="
    if not isinstance(problem, CovarianceProblem):
        return ConvergenceError(
            f"The {options.covariance} covariance of {len(roles.visits)} visits "
            f"({n} subjects) was not estimated: {_lower(str(problem))} You may {advice}."
        )
    visits = ", ".join(repr(roles.visits[code]) for code in problem.visits)
    reason = REASONS[problem.reason].format(visits=f"{visit} {visits}")
    of_group = "" if group is None else f" of {group} {roles.groups[problem.group]!r}"
    return ConvergenceError(
        f"The {options.covariance} covariance{of_group} cannot be estimated from "
        f"{problem.n_subjects} subjects, {problem.n_together} of them seen at all visits named "
        f"here: {reason}. You may {advice}."
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
