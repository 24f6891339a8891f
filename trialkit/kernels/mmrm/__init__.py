"""The mixed model for repeated measures on plain arrays.

Vocabulary: an *observation* is one subject at one visit; a *pattern* is the set of visits at
which a subject was seen, together with the group whose covariance the subject has; `m` is the
number of visits (of visits within periods, where the covariance is a direct product of both),
`K` of patterns, `n` of subjects, `N` of observations, `P` of fixed effects
and `q` of covariance parameters. `Sigma` is the covariance of the m visits, `V` of one
subject's observations.

Everything here works on an outcome centred and scaled, and on an orthonormal basis of the
fixed effects (`basis.py`), so that neither the unit of the outcome nor the coding of the model
changes the digits of a result.
"""
