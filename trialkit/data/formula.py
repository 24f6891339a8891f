"""A formula as formulaic reads it: its variables, its matrices, its sum-coded twin.

formulaic evaluates Python inside a formula, with no variable of the caller in reach. A formula
from a file is checked against the plan's grammar before it comes here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trialkit.errors import SpecError
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Parsed", "factor_variables", "parse_formula", "plain_variable"]

# Functions a formula may call beside formulaic's own.
FUNCTIONS = {"sqrt": np.sqrt}
# Names in a formula that are no data: formulaic's handles on numpy and on contrasts.
NAMESPACES = {"np", "contr"}
# Column names for the sum-coded twin; no data column is called so.
STAND_IN = "trialkit_factor_{}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parsed:
    """A formula taken apart; `left` and `right` are the data columns of either side."""

    formula: str
    outcome: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    left_side: Any
    right_side: Any

    def response(self, frame: pd.DataFrame) -> FloatArray:
        """The outcome (n,)."""
        matrix, _ = _materialize(self.left_side, frame, self.formula)
        if matrix.shape[1] != 1:
            raise SpecError(f"The outcome {self.outcome} of {self.formula!r} is not one column.")
        return matrix[:, 0]

    def learn(self, frame: pd.DataFrame) -> tuple[FloatArray, Any]:
        """The design matrix (n, P), and formulaic's spec with all that it learnt from it."""
        return _materialize(self.right_side, frame, self.formula)

    def evaluate(self, spec: Any, frame: pd.DataFrame) -> FloatArray:
        """Design rows of new data under a spec learnt before."""
        return _materialize(spec, frame, self.formula)[0]

    def sum_coded(
        self, frame: pd.DataFrame, names: Sequence[str]
    ) -> tuple[FloatArray, dict[str, slice]]:
        """The design with every factor coded to sum to zero, and slices by the given names."""
        from formulaic import Formula
        from formulaic.parser.types import Factor, Term

        _, spec = self.learn(frame)
        stand_ins = {
            str(expression): STAND_IN.format(position)
            for position, expression in enumerate(spec.factor_contrasts)
        }
        columns = {
            stand_in: frame[plain_variable(expression, self.right)].astype("category")
            for expression, stand_in in stand_ins.items()
        }
        terms = [
            Term([_replaced(factor, stand_ins, Factor) for factor in term.factors])
            for term in spec.terms
        ]
        formula = Formula(terms, _ordering="none")
        matrix, coded = _materialize(formula, frame.assign(**columns), self.formula)
        slices = [coded.term_slices[term] for term in coded.terms]
        return matrix, dict(zip(names, slices, strict=True))


def parse_formula(formula: str) -> Parsed:
    """Take `outcome ~ terms` apart; SpecError for anything formulaic cannot read as that."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
    except FormulaicError as error:
        raise SpecError(f"Formula {formula!r} cannot be read: {_plain(error)}") from None
    left: Any = getattr(parsed, "lhs", None)
    right: Any = getattr(parsed, "rhs", None)
    if left is None or right is None or isinstance(right, tuple):
        raise SpecError(f"Formula {formula!r} is not of the form 'outcome ~ terms'.")
    if len(list(left)) != 1:
        raise SpecError(f"Formula {formula!r} needs one outcome before '~'.")
    result = Parsed(
        formula=formula,
        outcome=str(next(iter(left))),
        left=_variables(left),
        right=_variables(right),
        left_side=left,
        right_side=right,
    )
    _refuse_comparisons(result)
    return result


def plain_variable(expression: str, columns: Sequence[str]) -> str | None:
    """Which of `columns` "ARM", "C(ARM)" or "C(ARM, ...)" codes; None for any other expression."""
    if expression in columns:
        return expression
    if not expression.startswith("C("):
        return None
    name = re.match(r"C\(\s*(?:`([^`]*)`|(\w+))\s*[,)]", expression)
    found = (name.group(1) or name.group(2)) if name else None
    return found if found in columns else None


def factor_variables(factor: Any) -> list[str]:
    """Data columns that a formulaic factor ("ARM", "log(BASE)") reads, in order of mention.

    formulaic's own `required_variables` leaves out what stands inside `center()` or `poly()`.
    """
    if str(factor.eval_method.value) == "literal":
        return []
    if str(factor.eval_method.value) == "lookup":
        return [factor.expr]
    tree, quoted = _syntax(factor.expr)
    if tree is None:
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in NAMESPACES
    ]
    names.sort(key=lambda node: node.col_offset)
    return list(dict.fromkeys(quoted.get(node.id, node.id) for node in names))


def _syntax(expression: str) -> tuple[ast.expr | None, dict[str, str]]:
    """The expression's syntax tree, with stand-ins for names in backticks."""
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = STAND_IN.format(len(quoted))
        quoted[name] = match.group(1)
        return name

    try:
        return ast.parse(re.sub(r"`([^`]*)`", stand_in, expression), mode="eval").body, quoted
    except SyntaxError:
        return None, quoted  # formulaic says what is wrong when it evaluates it


def _refuse_comparisons(parsed: Parsed) -> None:
    """At a covariate's mean, `I(BASE > 5)` would be one of its two values: nobody's estimate."""
    for term in (*parsed.left_side, *parsed.right_side):
        for factor in term.factors:
            if str(factor.eval_method.value) != "python":
                continue
            tree, _ = _syntax(str(factor.expr))
            nodes = ast.walk(tree) if tree is not None else ()
            if any(isinstance(node, ast.Compare | ast.BoolOp) for node in nodes):
                raise SpecError(f"{factor} compares; make it a column of its own.")


def _variables(side: Any) -> tuple[str, ...]:
    """Data columns of one side, in order of first mention."""
    factors = [factor for term in side for factor in term.factors]
    return tuple(dict.fromkeys(name for factor in factors for name in factor_variables(factor)))


def _materialize(source: Any, frame: pd.DataFrame, formula: str) -> tuple[FloatArray, Any]:
    from formulaic.errors import FormulaicError

    context: Mapping[str, Any] = FUNCTIONS
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name afterwards
            matrix = source.get_model_matrix(
                frame, context=context, output="numpy", na_action="ignore"
            )
    except FormulaicError as error:
        raise SpecError(f"Formula {formula!r} cannot be evaluated: {_plain(error)}") from None
    return np.asarray(matrix, dtype=np.float64), matrix.model_spec


def _replaced(factor: Any, stand_ins: Mapping[str, str], make: Any) -> Any:
    stand_in = stand_ins.get(str(factor))
    return factor if stand_in is None else make(f"C({stand_in}, contr.sum)", eval_method="python")


def _plain(error: Exception) -> str:
    """The first line of a message, without formulaic's terminal colours."""
    text = str(error).split("\n")[0]
    return "".join(character for character in text if character.isprintable())
