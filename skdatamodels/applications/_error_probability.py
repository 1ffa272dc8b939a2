"""The probability that a label or a value is wrong, from out-of-bag outputs.

Labels. Let η be the probability that the label of an example is its true class, as a
function of its out-of-bag log-odds m: logit η = b·m. Labels are wrong at a rate r: a
prediction that is as sure as can be still disagrees with a share r of the labels. b and
r are fitted to how often the labels agree with predictions of each confidence.
With r_c the rate at which examples of other classes got the label c, Bayes' rule says

    P(wrong | label c, m) = r_c·(1-η) / (r_c·(1-η) + (1-r)·η) .

The r_c are found by EM: the expected number of wrong labels c, divided by the number of
examples of other classes, and no more in all than r allows. So a class whose labels are
unlikely for the model, because it is rare or overlaps with others, is not thought to
have more wrong labels than the predictions of the other classes have lost.

If the confidence of the predictions hardly varies, b and r explain the same: unsure
predictions, or wrong labels. So b has a prior around 1, as if the model were
calibrated. Predictions that say nothing also disagree with many labels. So all of this
is weighed against labels that follow the shares of the classes whatever was predicted;
to the extent that these explain the labels better, no label is known to be wrong.

The confidence of two classes is abs(m). Of more, it is the largest softmax of b·logits,
and η that of the label. Log-odds of the label alone do not tell the confidence: the
model may give a label a tiny probability, and still be unsure which of the others it
is. If nothing else is known, abs(m) is taken for it; b and r are then off, above all
where classes overlap.

Values. A residual e comes from a core, Student's t, or with probability p from a wider
distribution of density e²/w²·N(e; 0, w²). This density is 0 at 0, because values that
are predicted well are not known to be wrong: a wide normal distribution would take them
for wrong values wherever the tails of the core are too light, or the wrong values are
far away. The scale of the core is a power of the spread of the predictions over runs,
because values that are hard to predict have both a large spread and large residuals.
Degrees of freedom are averaged by their likelihood: residuals with heavy tails need
larger deviations to be suspicious.

Reference: Johnson and Rossell, "On the use of non-local prior densities in Bayesian
hypothesis tests", Journal of the Royal Statistical Society B 72, 2010.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, logsumexp
from scipy.stats import norm, t

# Prior of rates: a Beta distribution whose weight is that of a few examples.
_A, _B = 0.5, 5.0
# Examples whose weight has the mean rate in that of a class.
_SHRINKAGE = 5.0
_SPREAD = 1.0  # standard deviation of the prior of the log slope
_LARGEST = 0.5  # rate: labels that are wrong more often are not labels
_FREEDOM = 3, 5, 10, np.inf
_MOST = 30.0  # standard deviations: larger residuals count as this one
_MAD = 1.4826  # standard deviation of a normal distribution by its median deviation


def label_log_odds(log_odds, codes, shares, *, logits=None):
    """Return the log-odds that labels are wrong.

    Parameters
    ----------
    log_odds : float64 array of shape (n,)
        Out-of-bag log-odds of the given labels, finite.
    codes : int array of shape (n,)
        The given labels, as numbers from 0.
    shares : float64 array of shape (n_classes,)
        Share of each class in the training set, positive.
    logits : float64 array of shape (n, n_classes), default=None
        Out-of-bag logits of all classes, finite. With them, `log_odds` are not used.

    Returns
    -------
    wrong : float64 array of shape (n,)
    """
    n_classes = len(shares)
    predicted = log_odds > 0 if logits is None else codes == logits.argmax(axis=1)

    def calibrated(slope):  # log-odds of the label, probability of the prediction
        if logits is None:
            return slope * log_odds, expit(slope * np.abs(log_odds))
        eta = log_softmax(slope * logits, axis=1)
        own = np.minimum(eta[np.arange(len(codes)), codes], -1e-16)
        return own - np.log(-np.expm1(own)), np.exp(eta.max(axis=1))

    slope, rate, log_likelihood = _agreement(
        predicted, lambda slope: calibrated(slope)[1], n_classes - 1
    )
    log_likelihood += _log_share_among_others(shares)[codes[~predicted]].sum()
    skill = log_expit(log_likelihood - np.log(shares)[codes].sum())
    odds = np.log1p(-rate) + calibrated(slope)[0]  # of the label being right
    sizes = np.bincount(codes, minlength=n_classes)
    others = sizes * (1 - shares) / shares  # that belong to these, of other classes
    rates = np.full(n_classes, rate / (n_classes - 1))
    for _ in range(1000):
        wrong = np.log(rates)[codes] - odds
        n_wrong = np.bincount(codes, expit(wrong), n_classes)
        n_wrong *= min(1, rate * len(codes) / max(n_wrong.sum(), 1e-300))
        mean = n_wrong.sum() / others.sum()
        new = (n_wrong + _SHRINKAGE * mean) / (others + _SHRINKAGE)
        new = np.clip(new, 1e-12, _LARGEST)
        change, rates = np.abs(new / rates - 1).max(), new
        if change < 1e-6:
            break
    log_wrong = skill + log_expit(np.log(rates)[codes] - odds)
    return log_wrong - np.log(-np.expm1(np.minimum(log_wrong, -1e-16)))


def _agreement(agrees, sure, n_others):
    """Fit how often labels agree with predictions.

    A prediction whose probability is `sure(b)` agrees with the label with probability
    r/n_others + (1 - r - r/n_others)·sure(b). Return the slope b, the rate r, and the
    log-likelihood with the priors of both.
    """

    def loss(params):
        rate = _LARGEST * expit(params[1])
        low = rate / n_others
        p = low + (1 - rate - low) * sure(np.exp(params[0]))
        prior = _log_prior(rate) - (params[0] / _SPREAD) ** 2 / 2
        return -np.log(np.where(agrees, p, 1 - p)).sum() - prior

    best = _best(loss, [(0.0, -2.0), (1.5, -2.0)], [(-5, 5), (-20, 5)])
    return np.exp(best[0]), _LARGEST * expit(best[1]), -loss(best)


def _log_share_among_others(shares):
    """Return the log-likelihood of each label, given that it was not predicted.

    Which class k was, is not known: it is one of the others, by their shares s_k. Label
    c then has its share among all but k, s_c/(1 - s_k).
    """
    odds = shares / (1 - shares)
    return np.log(odds * (odds.sum() - odds))


def value_log_odds(residuals, spread):
    """Return the log-odds that values are wrong.

    Parameters
    ----------
    residuals : float64 array of shape (n,)
        Given values minus mean out-of-bag predictions, none of them 0.
    spread : float64 array of shape (n,)
        Standard deviation of the out-of-bag predictions of each example.

    Returns
    -------
    wrong : float64 array of shape (n,)
    """
    size = _MAD * np.median(np.abs(residuals))
    typical = np.median(spread)
    ratio = spread / typical if typical > 0 else np.ones_like(spread)
    relative = np.log(np.clip(ratio, np.exp(-2), np.exp(2)))
    residuals = np.clip(residuals / size, -_MOST, _MOST)
    fits = [_mixture(residuals, relative, freedom) for freedom in _FREEDOM]
    likelihood = np.array([fit[0] for fit in fits])
    share = np.exp(likelihood - likelihood.max())
    share /= share.sum()
    odds = np.array([fit[1] for fit in fits])
    log_share = np.log(np.maximum(share, 1e-300))[:, None]
    wrong, right = (log_share + log_expit(sign * odds) for sign in (1, -1))
    return logsumexp(wrong, axis=0) - logsumexp(right, axis=0)


def _mixture(residuals, relative, freedom):
    """Fit the mixture; return its log-likelihood and the log-odds of the wide part."""
    core = norm if freedom == np.inf else t(freedom)

    def scales(params):
        core_scale = np.exp(params[0] + 1.5 * expit(params[1]) * relative)
        return core_scale, np.hypot(core_scale, 1.5 + np.exp(params[3]))

    def log_densities(residuals, params):
        scale, wide = scales(params)
        rate = _LARGEST * expit(params[2])
        right = np.log1p(-rate) + core.logpdf(residuals / scale) - np.log(scale)
        far = np.abs(residuals) / wide
        wrong = np.log(rate / wide) + norm.logpdf(far) + 2 * np.log(far)
        return right, wrong

    def loss(params):
        total = np.logaddexp(*log_densities(residuals, params)).sum()
        prior = _log_prior(_LARGEST * expit(params[2])) - 0.05 * params[3] ** 2
        return -total - prior

    starts = [(0.0, -1.0, -2.0, 0.0), (0.0, -1.0, -2.0, 2.0)]
    params = _best(loss, starts, [(-3, 3), (-20, 20), (-20, 5), (-5, 5)])
    if freedom < np.inf:  # beyond this residual the odds would fall again
        scale, wide = scales(params)
        residuals = np.minimum(np.abs(residuals), _most(freedom, scale, wide))
    right, wrong = log_densities(residuals, params)
    return -loss(params), wrong - right


def _most(freedom, scale, wide):
    """Return the residual with the largest odds.

    As a function of u = e², the log-odds are log u - u/2w² + (ν+1)/2·log(νs² + u) and a
    constant. Their derivative is 0 where u² - b·u - 2νs²w² = 0, b = (ν+3)w² - νs².
    """
    b = (freedom + 3) * wide**2 - freedom * scale**2
    return np.sqrt((b + np.sqrt(b**2 + 8 * freedom * (scale * wide) ** 2)) / 2)


def _log_prior(rate):
    return _A * np.log(rate) + _B * np.log1p(-rate)


def _best(loss, starts, bounds):
    """Return the minimum of a loss from the best of several starts."""
    found = (minimize(loss, x, method="L-BFGS-B", bounds=bounds) for x in starts)
    return min(found, key=lambda result: result.fun).x
