"""A model of five trees, and steps that fail in the ways steps fail."""

from sklearn.ensemble import HistGradientBoostingClassifier

import treadle as tr


@tr.step
def fit(train: tr.Frame, rate: float = 0.3) -> tr.Model:
    """Fit five trees."""
    model = HistGradientBoostingClassifier(
        max_iter=5,
        learning_rate=rate,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        early_stopping=False,
        categorical_features=train.categorical,
        random_state=0,
    )
    model.fit(train.X, train.y)
    return model


@tr.pipeline
def train_returns(
    until: tr.Instant, since: tr.Instant | None = None, holdout: str = "7d", rate: float = 0.3
) -> None:
    """Learn from labels known before `until`, judge on the newest week."""
    data = tr.training_set("returns", until=until, since=since)
    train, newest = tr.split(data, by_time=holdout)
    model = fit(train, rate=rate)
    tr.register("returns", model, tr.evaluate(model, newest, slices=["shop"]))


@tr.step
def divide(x: int, by: int = 0) -> float:
    """Fail where somebody wrote the mistake."""
    return halve(x, by)


def halve(x: int, by: int) -> float:
    return x / by


@tr.step
def refuse(x: int) -> int:
    """Fail with an error that helps."""
    raise tr.InvalidInput("these rows are no good", fix="bring others", faults=["the first", "the second"])


@tr.step
def learn_from_second(weights: tr.Frame, train: tr.Frame) -> list[int]:
    """Say which frame came under which name."""
    return [len(weights), len(train)]


@tr.step
def strange(x: int) -> object:
    """Return what nobody can store."""
    return {x}


monitor = tr.Monitor(
    "returns",
    window="7d",
    every="1d",
    drift=tr.score_drift("psi", warn=0.1, alert=0.2, min_rows=50),
    performance=tr.auc(drop=0.05, maturity="1d", min_rows=50),
    calibration=tr.calibration(tolerance=0.2, maturity="1d", min_rows=50),
)
retrain = tr.on(
    tr.metric("auc").drops(0.05) | tr.every("20d"), run=train_returns, cooldown="5d", name="retrain"
)
