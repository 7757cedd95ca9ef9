"""The names of the models, for those who only list them."""

MODELS = (
    "lightgbm",
    "xgboost",
    "random_forest",
    "hist_gradient_boosting",
    "linear",
    "ridge",
    "elastic_net",
    "logistic",
    "lightgbm_quantile",
    "lightgbm_rank",
    "lstm",
    "mean_ensemble",
    "median_ensemble",
    "trimmed_ensemble",
    "stacking",
)
BASELINES = ("always_up", "historical_mean", "momentum", "last_value")
