"""The marginal model written out: one dense matrix a subject, derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SigmaOf = Callable[[np.ndarray, np.ndarray], np.ndarray]


def natural_sigma(name: str, m: int) -> SigmaOf:
    """Sigma (m, m) as a function of natural parameters and times, element by element."""

    def sigma(theta: np.ndarray, time: np.ndarray) -> np.ndarray:
        out = np.empty((m, m))
        for a in range(m):
            for b in range(m):
                out[a, b] = element(theta, time, min(a, b), max(a, b))
        return out

    def element(theta: np.ndarray, time: np.ndarray, a: int, b: int) -> float:
        lag = b - a
        whole = {
            "unstructured": lambda: theta[b * (b + 1) // 2 + a],
            "toeplitz": lambda: theta[lag],
            "compound-symmetry": lambda: theta[min(lag, 1)],
            "spatial-exponential": lambda: theta[0] * np.exp(-abs(time[a] - time[b]) / theta[1]),
        }
        if name in whole:
            return whole[name]()
        n_var = m if name.endswith("-het") else 1
        var = [theta[min(v, n_var - 1)] for v in (a, b)]
        rho = theta[n_var:]
        family = name.removesuffix("-het")
        if family == "ar1":
            r = rho[0] ** lag
        elif family == "compound-symmetry":
            r = rho[0] if lag else 1.0
        elif family == "toeplitz":
            r = rho[lag - 1] if lag else 1.0
        else:
            r = np.prod(rho[a:b])
        return np.sqrt(var[0] * var[1]) * r

    return sigma


@dataclass
class DenseModel:
    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    visit: np.ndarray
    sigma: list[SigmaOf]
    theta: np.ndarray
    n_theta: int
    group: np.ndarray
    time: np.ndarray
    n_visits: int
    weights: np.ndarray
    reml: bool = True

    def v(self, theta: np.ndarray, i: int) -> np.ndarray:
        rows = self.subject == i
        g = int(self.group[rows][0])
        time = np.zeros(self.n_visits)
        time[self.visit[rows]] = self.time[rows]
        full = self.sigma[g](theta[g * self.n_theta : (g + 1) * self.n_theta], time)
        own = full[np.ix_(self.visit[rows], self.visit[rows])]
        return own / np.sqrt(np.outer(self.weights[rows], self.weights[rows]))

    @cached_property
    def subjects(self) -> list[int]:
        return sorted(set(self.subject.tolist()))

    def pieces(self, theta: np.ndarray):
        for i in self.subjects:
            rows = self.subject == i
            yield i, self.x[rows], self.y[rows], np.linalg.inv(self.v(theta, i))

    def gls(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = sum(x.T @ w @ x for _, x, _, w in self.pieces(theta))
        b = sum(x.T @ w @ y for _, x, y, w in self.pieces(theta))
        phi = np.linalg.inv(a)
        return phi @ b, phi

    def deviance(self, theta: np.ndarray) -> float:
        beta, phi = self.gls(theta)
        total = 0.0
        for i, x, y, w in self.pieces(theta):
            r = y - x @ beta
            total += np.linalg.slogdet(self.v(theta, i))[1] + r @ w @ r
        n, p = self.x.shape
        if self.reml:
            return total - np.linalg.slogdet(phi)[1] + (n - p) * np.log(2 * np.pi)
        return total + n * np.log(2 * np.pi)

    def steps(self) -> np.ndarray:
        return 1e-3 * np.maximum(np.abs(self.theta), 0.1)

    @cached_property
    def firsts(self) -> dict[tuple[int, int], np.ndarray]:
        h = self.steps()
        return {
            (i, s): difference(lambda t, i=i: self.v(t, i), self.theta, s, h[s])
            for i in self.subjects
            for s in range(self.theta.size)
        }

    def first(self, i: int, s: int) -> np.ndarray:
        return self.firsts[i, s]

    def second(self, i: int, s: int, t: int) -> np.ndarray:
        return second_difference(lambda z: self.v(z, i), self.theta, s, t, self.steps())

    @cached_property
    def gradient(self) -> np.ndarray:
        h = self.steps()
        return np.array(
            [difference(self.deviance, self.theta, s, h[s]) for s in range(self.theta.size)]
        )

    @cached_property
    def w(self) -> np.ndarray:
        q = self.theta.size
        h = self.steps()
        hessian = np.empty((q, q))
        for s in range(q):
            for t in range(s + 1):
                hessian[s, t] = hessian[t, s] = second_difference(
                    self.deviance, self.theta, s, t, h
                )
        return 2 * np.linalg.inv(hessian)

    @cached_property
    def expected_w(self) -> np.ndarray:
        """Half the trace of P V_s P V_t, with P of the whole data set, inverted."""
        n, q = self.y.size, self.theta.size
        inverse = np.zeros((n, n))
        firsts = np.zeros((q, n, n))
        for i in self.subjects:
            rows = np.flatnonzero(self.subject == i)
            inverse[np.ix_(rows, rows)] = np.linalg.inv(self.v(self.theta, i))
            for s in range(q):
                firsts[s][np.ix_(rows, rows)] = self.first(i, s)
        p = inverse
        if self.reml:
            wx = inverse @ self.x
            p = inverse - wx @ np.linalg.inv(self.x.T @ wx) @ wx.T
        half = [p @ each for each in firsts]
        information = [[np.trace(a @ b) / 2 for b in half] for a in half]
        return np.linalg.inv(np.array(information))

    @cached_property
    def q(self) -> np.ndarray:
        """Q_st of Kenward and Roger: (q, q, P, P)."""

        def each(s: int, t: int) -> np.ndarray:
            return sum(
                x.T @ v @ self.first(i, s) @ v @ self.first(i, t) @ v @ x
                for i, x, _, v in self.pieces(self.theta)
            )

        n = range(self.theta.size)
        return np.array([[each(s, t) for t in n] for s in n])

    @cached_property
    def r(self) -> np.ndarray:
        """R_st of Kenward and Roger: (q, q, P, P)."""
        n, p = self.theta.size, self.x.shape[1]
        out = np.zeros((n, n, p, p))
        for i, x, _, v in self.pieces(self.theta):
            for s in range(n):
                for t in range(s + 1):
                    out[s, t] += x.T @ v @ self.second(i, s, t) @ v @ x
                    out[t, s] = out[s, t]
        return out

    def kenward_roger(self, *, second_order: bool, w: np.ndarray) -> np.ndarray:
        q = self.theta.size
        phi = self.gls(self.theta)[1]
        p = [-self.slope(s) for s in range(q)]
        total = np.zeros_like(phi)
        for s in range(q):
            for t in range(q):
                second = self.r[s, t] / 4 if second_order else 0.0
                total += w[s, t] * (self.q[s, t] - p[s] @ phi @ p[t] - second)
        return phi + 2 * phi @ total @ phi

    def slope(self, s: int) -> np.ndarray:
        return sum(x.T @ v @ self.first(i, s) @ v @ x for i, x, _, v in self.pieces(self.theta))

    def f_moments(self, contrast: np.ndarray, w: np.ndarray) -> tuple[float, float]:
        """A1 and A2 of Kenward and Roger."""
        phi = self.gls(self.theta)[1]
        theta = contrast.T @ np.linalg.inv(contrast @ phi @ contrast.T) @ contrast
        m = [theta @ phi @ self.slope(s) @ phi for s in range(self.theta.size)]
        a1 = sum(
            w[s, t] * np.trace(m[s]) * np.trace(m[t]) for s in range(len(m)) for t in range(len(m))
        )
        a2 = sum(w[s, t] * np.trace(m[s] @ m[t]) for s in range(len(m)) for t in range(len(m)))
        return float(a1), float(a2)


def difference(f, theta, s, h):
    """Central difference of the fourth order."""
    e = np.zeros(theta.size)
    e[s] = h
    return (8 * (f(theta + e) - f(theta - e)) - (f(theta + 2 * e) - f(theta - 2 * e))) / (12 * h)


def second_difference(f, theta, s, t, h):
    """Fourth-order differences of fourth-order differences."""
    return difference(lambda z: difference(f, z, s, h[s]), theta, t, h[t])
