"""Contributions of a forecast, from the arrays that a release carries."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Shares = tuple[float, npt.NDArray[np.float64]]


def contributions(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> Shares:
    """Split one forecast of the log return into a base value and what each feature adds.

    Parameters
    ----------
    explainer : mapping of str to ndarray
        What the model's `explainer` gave when it was packed.
    x : ndarray of shape (n_features,)
        The row, float32; NaN marks a missing feature.

    Returns
    -------
    tuple of float and ndarray of shape (n_features,)
        Base and contributions; together they add up to the forecast, up to float32 rounding.
    """
    if "chosen" in explainer:
        return _chosen(explainer, x)
    if "weights" in explainer or "places" in explainer:
        return _members(explainer, x)
    if "recurrent" in explainer:
        from bellwether.models.recurrent import shares

        return shares(explainer, x)
    base = float(explainer["base"][0])
    if "shapley" in explainer:
        return base, _trees(explainer, x)
    if "signs" in explainer:
        return base, np.sign(np.nan_to_num(x)) * explainer["signs"].astype(np.float64)
    return base, _linear(explainer, x)


def _linear(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    coefficients = explainer["coefficients"].astype(np.float64)
    if "mean" not in explainer:
        return coefficients
    z = (x - explainer["mean"].astype(np.float64)) / explainer["scale"].astype(np.float64)
    clip = float(explainer["clip"][0])
    added: npt.NDArray[np.float64] = coefficients * np.clip(np.nan_to_num(z), -clip, clip)
    return added


def _chosen(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> Shares:
    """Put what the chosen features add into their places; the others add nothing."""
    chosen = explainer["chosen"].astype(np.int64)
    base, told = contributions(_of(explainer, "of."), x[chosen])
    shares = np.zeros(int(explainer["n_all"][0]))
    shares[chosen] = told
    return base, shares


def _members(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> Shares:
    """Weigh what the members of an ensemble say: by member, or by place in the order of forecasts."""
    ranked = "places" in explainer
    weights = explainer["places" if ranked else "weights"].astype(np.float64)
    parts = [_of(explainer, f"{i}.") for i in range(len(weights))]
    told = [contributions(part, x) for part in parts]
    if ranked:
        said = [base + shares.sum() for base, shares in told]
        told = [told[i] for i in np.argsort(said, kind="stable")]
    base = sum(w * b for w, (b, _) in zip(weights, told, strict=True))
    return float(base), np.sum([w * s for w, (_, s) in zip(weights, told, strict=True)], axis=0)


def _of(explainer: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {k.removeprefix(prefix): v for k, v in explainer.items() if k.startswith(prefix)}


def _trees(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    feature = explainer["feature"]
    here = x.astype(np.float64)[feature]
    met = (here > explainer["low"]) & (here <= explainer["high"])
    met |= np.isnan(here) & explainer["missing_ok"].astype(bool)
    bits = met @ (1 << np.arange(met.shape[1]))
    shares = explainer["shapley"][np.arange(len(bits)), bits].astype(np.float64)
    n = int(explainer["n_features"][0])
    total = np.zeros(n)
    np.add.at(total, feature.ravel().astype(np.int64), shares.ravel())
    return total
