"""How the model learns, what it must show, and when it learns again."""

from sklearn.ensemble import HistGradientBoostingClassifier

import treadle as tr


@tr.step
def fit(train: tr.Frame, learning_rate: float = 0.06, iterations: int = 200) -> tr.Model:
    """Fit boosted trees; treadle exports them to ONNX and refuses the export if it answers differently."""
    model = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=iterations,
        max_leaf_nodes=31,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=train.categorical,
        random_state=0,
    )
    return model.fit(train.X, train.y)


@tr.pipeline
def train_delay(
    until: tr.Instant, since: tr.Instant | None = None, holdout: str = "21d", refit: bool = False
) -> None:
    """Train on labels known before `until`, judge on the newest three weeks, register."""
    data = tr.training_set("delay", until=until, since=since)
    train, newest = tr.split(data, by_time=holdout)
    model = fit(train)
    report = tr.evaluate(model, newest, slices=["origin", "carrier"])
    if refit:  # the first model: judged as a recipe, then fitted on everything there is
        model = fit(data)
    tr.register("delay", model, report)


monitor = tr.Monitor(
    "delay",
    window="14d",
    every="1d",
    drift=tr.score_drift("psi", warn=0.15, alert=0.3),
    performance=tr.auc(drop=0.02, maturity="2d"),
    calibration=tr.calibration(tolerance=0.15, maturity="2d"),
)
weather_quality = tr.SourceMonitor("weather_quality", source="weather", every="1d", freshness="6h")
retrain = tr.on(
    tr.metric("auc").drops(0.02) | tr.calibration_off() | tr.score_drift_alert() | tr.every("45d"),
    run=train_delay,
    cooldown="21d",
    name="retrain",
)
gates: list[tr.Gate] = [
    tr.better_than_champion(
        "auc", confidence=0.9
    ),  # missing a better model costs more here than taking an equal one
    tr.no_worse_slice("origin"),
    tr.no_worse_slice("carrier"),
    tr.loads_and_answers(),
]
