"""The grammar of a formula that comes from a file, checked before formulaic sees it.

formulaic evaluates Python inside a formula. A plan file is data and must never run code, so
its formulas are read here first by a parser that knows nothing but

    formula     = factor "~" [ "+" | "-" ] sum
    sum         = product { ( "+" | "-" ) product }
    product     = interaction { "*" interaction }
    interaction = atom { ":" atom }
    atom        = factor | "(" sum ")" | "0" | "1"     the integers only as terms of the outer sum
    factor      = column | function "(" column ")"
    function    = "C" | "log" | "log2" | "sqrt"        C on the right-hand side only

A column is an ASCII letter followed by ASCII letters, digits and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from keyword import iskeyword
from typing import NoReturn

from trialkit.errors import SpecError

__all__ = ["FUNCTIONS", "check_formula", "formula_columns"]

FUNCTIONS = ("C", "log", "log2", "sqrt")
ALLOWED = (
    "column names, ~ + - * : ( ), 0 or 1 for the intercept, and C(), log(), log2(), sqrt() of "
    "one column"
)

# Longer and deeper than any model a person writes, far below what would exhaust a parser.
MAX_LENGTH = 2000
MAX_DEPTH = 20
# `a * b * c * ...` doubles the terms with every factor.
MAX_TERMS = 500

# Names that formulaic itself defines: harmless where the data have such a column (data come
# first), another thing altogether where they do not.
_FORMULAIC_NAMES = frozenset(
    "Diff Helmert I Poly Q Sum Treatment bs cc center contr cr cs exp exp10 exp2 hashed lag log10 "
    "np poly scale standardize".split()
)
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*|[0-9]+|[~+\-*:()]")
# How much of a formula, and how many columns, an error message repeats.
_SHOWN = 80
_LISTED = 40


def check_formula(text: str, columns: Iterable[str] | None = None) -> None:
    """Raise SpecError unless `text` is a formula of this module's grammar.

    With `columns`, every name must be one of them. A column that bears the name of a function
    in use (`log`) would be called in its place and is refused; a column that bears the name of
    something formulaic defines (`center`) is safe, since data come first, but only where
    `columns` shows that the data have it. The error gives the place and what is allowed.

    Example
    -------
    >>> check_formula("CHG ~ TRT01P + log(BASE)", columns=["CHG", "TRT01P", "BASE"])
    >>> check_formula("CHG ~ __import__('os')")
    Traceback (most recent call last):
    ...
    trialkit.errors.SpecError: Formula "CHG ~ __import__('os')", character 7: ...
    """
    names = formula_columns(text)
    known = None if columns is None else [str(column) for column in columns]
    if known is None:
        strangers = [name for name in names if name in _FORMULAIC_NAMES]
        if strangers:
            raise SpecError(
                f"Formula {_shown(text)}: {', '.join(strangers)} is a name that the formula "
                "library defines itself; it is allowed only where the data are known to have "
                "such a column."
            )
        return
    for function in _functions_in(text):
        if function in known:
            raise SpecError(
                f"Formula {_shown(text)}: the data have a column named {function!r}, which would "
                f"stand in the place of the function {function}(); rename the column."
            )
    _check_known(text, names, known)


def formula_columns(text: str) -> tuple[str, ...]:
    """The columns a formula names, in order of appearance; raises as `check_formula`."""
    return tuple(dict.fromkeys(_Parser(text, _tokens(text)).formula()))


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int  # zero-based place in the formula
    end: int


def _tokens(text: str) -> list[_Token]:
    if not isinstance(text, str):
        raise SpecError(f"A formula is text, not {type(text).__name__}; for example 'CHG ~ ARM'.")
    if len(text) > MAX_LENGTH:
        raise SpecError(f"The formula has {len(text)} characters; at most {MAX_LENGTH} allowed.")
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            _refuse(text, place, f"{text[place]!r} is not allowed")
        tokens.append(_Token(match.group(), match.start(), match.end()))
        place = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens; each rule returns an upper bound of its terms."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._columns: list[str] = []

    def formula(self) -> list[str]:
        if not self._tokens:
            raise SpecError("The formula is empty; write 'outcome ~ terms'.")
        self._factor(side="left")
        self._expect("~", "after the outcome, '~' is expected")
        if self._peek() in ("+", "-"):
            self._next += 1
        self._sum()
        if self._peek():
            self._fail("an operator is expected")
        return self._columns

    def _sum(self) -> int:
        n_terms = self._product()
        while self._peek() in ("+", "-"):
            self._next += 1
            n_terms = self._bounded(n_terms + self._product())
        return n_terms

    def _product(self) -> int:
        n_terms = self._interaction()
        while self._peek() == "*":
            self._next += 1
            right = self._interaction()
            n_terms = self._bounded(n_terms + right + n_terms * right)
        return n_terms

    def _interaction(self) -> int:
        n_terms = self._atom()
        while self._peek() == ":":
            self._next += 1
            n_terms = self._bounded(n_terms * self._atom())
        return n_terms

    def _atom(self) -> int:
        token = self._peek()
        if token == "(":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                self._fail(f"more than {MAX_DEPTH} brackets inside each other")
            self._next += 1
            n_terms = self._sum()
            self._expect(")", "')' is expected")
            self._depth -= 1
            return n_terms
        if token[:1].isdigit():
            self._intercept(token)
            return 1
        self._factor(side="right")
        return 1

    def _intercept(self, token: str) -> None:
        if token not in ("0", "1"):
            self._fail(f"the number {token} is not allowed")
        before = self._tokens[self._next - 1].text
        after = self._tokens[self._next + 1].text if self._next + 1 < len(self._tokens) else ""
        if self._depth or before not in ("~", "+", "-") or after not in ("", "+", "-"):
            self._fail(f"{token} is the intercept and stands as a term of its own")
        self._next += 1

    def _factor(self, *, side: str) -> None:
        name = self._name()
        following = self._tokens[self._next] if self._next < len(self._tokens) else None
        called = following is not None and following.text == "("
        if name not in FUNCTIONS:
            if called:
                self._fail(f"{name!r} cannot be called")
            self._columns.append(name)
            return
        if not called:
            self._next -= 1
            self._fail(f"{name!r} is a function here and not a column; rename such a column")
        if following is not None and following.start != self._tokens[self._next - 1].end:
            self._fail(f"no space is allowed between {name} and its bracket")
        if name == "C" and side == "left":
            self._fail("an outcome cannot be a factor C()")
        self._next += 1
        argument = self._name()
        if argument in FUNCTIONS:
            self._next -= 1
            self._fail(f"{name}() takes a column, not another function")
        self._columns.append(argument)
        self._expect(")", f"{name}() takes one column and nothing else")

    def _name(self) -> str:
        token = self._peek()
        if not token[:1].isalpha():
            self._fail("a column name is expected")
        if iskeyword(token):
            self._fail(f"{token!r} is a word of the Python language and not allowed as a name")
        self._next += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _expect(self, token: str, problem: str) -> None:
        if self._peek() != token:
            self._fail(problem)
        self._next += 1

    def _bounded(self, n_terms: int) -> int:
        if n_terms > MAX_TERMS:
            self._fail(f"the formula expands to more than {MAX_TERMS} terms")
        return n_terms

    def _fail(self, problem: str) -> NoReturn:
        at_end = self._next >= len(self._tokens)
        _refuse(self._text, len(self._text) if at_end else self._tokens[self._next].start, problem)


def _refuse(text: str, place: int, problem: str) -> NoReturn:
    raise SpecError(
        f"Formula {_shown(text)}, character {place + 1}: {problem}. Allowed: {ALLOWED}."
    )


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _functions_in(text: str) -> list[str]:
    words = [token.text for token in _tokens(text)]
    return [name for name in FUNCTIONS if name in words]


def _check_known(text: str, names: Iterable[str], known: list[str]) -> None:
    problems = []
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            problems.append(f"{name!r}" + (f" (near: {', '.join(near)})" if near else ""))
    if problems:
        raise SpecError(
            f"Formula {_shown(text)}: no such column: {', '.join(problems)}. "
            f"Columns: {', '.join(known[:_LISTED])}{', ...' if len(known) > _LISTED else ''}."
        )
