"""The report of a replay: one HTML page that says what was found, and one picture for a README.

Pure: the record of a replay in, text out. The sentences are made in `replay_words`, the pictures in
`replay_pictures`; here they are put in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.loop.replay_figures import (
    FROZEN,
    LOOP,
    cost_of,
    gap,
    loop_over,
    overall,
    overlap,
    own_trainings,
    policies_of,
    side_trainings,
)
from treadle.loop.replay_pictures import (
    auc_chart,
    calibration_chart,
    cost_chart,
    importance_chart,
    positives_chart,
    psi_chart,
    reliability_chart,
    scores_chart,
    time_chart,
    timeline_chart,
)
from treadle.loop.replay_words import (
    MEANING,
    ahead_words,
    auc_interval,
    count_words,
    decimals,
    headline,
    lead_words,
    months_words,
    signed_auc,
    verdict_counts,
    versions_words,
)
from treadle.pictures.numbers import NO_DATA, moment, share, span
from treadle.pictures.palette import stylesheet
from treadle.pictures.report import Cell, Figure, Figures, Picture, Prose, Section, State, Table, html_report
from treadle.pictures.svg import svg
from treadle.records.instants import MINUTE, SECOND, Instant
from treadle.records.models import Verdict
from treadle.records.replays import ReplayReport, Training

MOST_ROWS = 200
"""Rows of a table of events; the newest are shown."""
_PICTURE_WIDTH = 880
_PICTURE_EDGE = 20


def replay_html(report: ReplayReport) -> str:
    """Return the report as one self-contained HTML page: no scripts, no network.

    Cost: some 20 ms and 200 KB for a year of months.
    """
    return html_report(
        f"{report.project}: {report.endpoint} in replay, {months_words(report)}",
        headline(report),
        (
            _finding(report),
            _turns(report),
            _months(report),
            _scores(report),
            Section("What the champion rests on", (Picture(importance_chart(report)),)),
            _costs(report),
            Section("Where the time went", (Picture(time_chart(report)),)),
            _details(report),
            _again(report),
        ),
        report.generated_at,
    )


def readme_picture(report: ReplayReport) -> str:
    """Return AUC over time as a standalone SVG for an `<img>`: light or dark as the reader's system is.

    It brings its own ground, because the page around an image may be darker or lighter than the system says.
    """
    inner = svg(auc_chart(report), width=_PICTURE_WIDTH, style=False)
    tall = _height(inner) + 2 * _PICTURE_EDGE
    wide = _PICTURE_WIDTH + 2 * _PICTURE_EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tr-chart" width="{wide}" height="{tall}"'
        f' viewBox="0 0 {wide} {tall}"><style>{stylesheet()}</style>'
        f'<rect width="{wide}" height="{tall}" rx="6" fill="var(--tr-paper)"/>'
        f'<g transform="translate({_PICTURE_EDGE} {_PICTURE_EDGE})">{inner}</g></svg>\n'
    )


def _height(picture: str) -> int:
    return int(picture.partition('height="')[2].partition('"')[0])


def _finding(report: ReplayReport) -> Section:
    meanings = "\n".join(
        f"- `{policy}`: {MEANING.get(policy, 'another policy')}" for policy in policies_of(report)
    )
    policies = f"Each request is judged as every policy would have answered it:\n\n{meanings}"
    caution = (
        "The policies answer the same requests. Whether one is better is therefore tested on pairs of answers, as the"
        " gates do: that sees differences that two intervals, which may overlap, do not show."
    )
    return Section(
        "What was found",
        (Figures(_figures(report)), Picture(auc_chart(report)), Prose(policies), Prose(caution)),
    )


def _figures(report: ReplayReport) -> tuple[Figure, ...]:
    answered, labelled = sum(row.n for row in report.months), sum(row.labelled for row in report.months)
    own = own_trainings(report)
    part = f", {share(labelled / answered)} of them" if answered else ""
    return (
        *(_auc_figure(report, policy) for policy in _loop_first(report)),
        _gap_figure(report),
        Figure("requests answered", answered, f"{labelled:,} labelled{part}"),
        Figure("trainings of the loop", len(own), f"gates: {verdict_counts(report)}"),
        Figure("champion at the end", f"v{report.champion}" if report.champion else None, _since(report)),
        Figure(
            "the whole replay",
            span(report.seconds * SECOND) if report.seconds > 0 else None,
            _fit_note(report),
        ),
    )


def _loop_first(report: ReplayReport) -> list[str]:
    return sorted(policies_of(report), key=lambda policy: policy != LOOP)


def _auc_figure(report: ReplayReport, policy: str) -> Figure:
    area = overall(report, policy)
    if area is None:
        return Figure(f"AUC, {policy}", None, "no labels to judge by")
    bounds = area.interval()
    return Figure(f"AUC, {policy}", f"{area.value:.4f}", f"95 % {bounds.low:.4f} to {bounds.high:.4f}")


def _gap_figure(report: ReplayReport) -> Figure:
    loop, frozen = overall(report, LOOP), overall(report, FROZEN)
    if loop is None or frozen is None:
        return Figure("AUC, loop over frozen", None)
    ahead = loop_over(report, FROZEN)
    apart = "intervals overlap" if overlap(loop, frozen) else "intervals apart"
    return Figure(
        "AUC, loop over frozen", signed_auc(gap(loop, frozen)), ahead_words(ahead) if ahead else apart
    )


def _since(report: ReplayReport) -> str:
    moves = [
        one.at
        for one in report.verdicts
        if one.verdict is Verdict.PROMOTED and one.model_version == report.champion
    ]
    return f"since {moment(max(moves))[:10]}" if moves else ""


def _fit_note(report: ReplayReport) -> str:
    return f"model fits: {span(report.fit_seconds * SECOND)}" if report.fit_seconds > 0 else "no model fits"


def _turns(report: ReplayReport) -> Section:
    decided = {one.model_version: one.verdict for one in report.verdicts}
    rows, told = _newest(
        [
            (
                *_training_cells(t),
                State(decided[t.model_version].value) if t.model_version in decided else "none",
                t.reason,
            )
            for t in own_trainings(report)
        ]
    )
    head = ("at, UTC", "version", "rows", "fit", "verdict", "reason")
    table = Table(f"What the loop trained, why, and what the gates made of it{told}.", head, rows)
    return Section("How the wheel turned", (Picture(timeline_chart(report)), table))


def _training_cells(training: Training) -> tuple[Cell, ...]:
    return (
        _minute(training.at),
        f"v{training.model_version}",
        f"{training.rows:,}",
        span(training.seconds * SECOND),
    )


def _details(report: ReplayReport) -> Section:
    """Return what was said and done at length, for those who want to know exactly."""
    blocks = [_verdicts(report)]
    rows, told = _newest([(_minute(a.at), a.kind, a.message) for a in report.alerts])
    seen = f"{count_words(len(rows), 'alert')} raised{told}." if rows else "No alert was raised."
    blocks.append(Table(seen, ("at, UTC", "kind", "what the monitor saw"), rows))
    for policy in dict.fromkeys(t.policy for t in side_trainings(report)):
        mine = [(*_training_cells(t), t.reason) for t in side_trainings(report) if t.policy == policy]
        rows, told = _newest(mine)
        head = ("at, UTC", "version", "rows", "fit", "reason")
        blocks.append(Table(f"What the policy {policy} trained, beside the loop{told}.", head, rows))
    return Section("In detail", tuple(blocks))


def _minute(at: Instant) -> str:
    return moment(at // MINUTE * MINUTE, zone=False)


def _verdicts(report: ReplayReport) -> Table:
    """Return a row for each gate's sentence, the version and its verdict beside the first."""
    lines: list[tuple[Cell, ...]] = []
    for one in report.verdicts:
        first, *more = one.reasons or ("no gate gave a reason",)
        lines.append((f"v{one.model_version}", State(one.verdict.value), first))
        lines += [("", "", reason) for reason in more]
    rows, told = _newest(lines)
    said = (
        f"What each gate said: {verdict_counts(report)}{told}." if rows else "No gate has decided anything."
    )
    return Table(said, ("version", "verdict", "reasons"), rows)


def _newest(rows: Sequence[tuple[Cell, ...]]) -> tuple[tuple[tuple[Cell, ...], ...], str]:
    """Return the last rows, and words that say so when they are not all."""
    told = f" (the newest {MOST_ROWS:,} of {len(rows):,} rows)" if len(rows) > MOST_ROWS else ""
    return tuple(rows[-MOST_ROWS:]), told


def _months(report: ReplayReport) -> Section:
    return Section(
        "Month by month",
        (
            _auc_table(report),
            _lead_table(report),
            _served_table(report),
            Picture(positives_chart(report)),
            Picture(calibration_chart(report)),
            Picture(psi_chart(report)),
        ),
    )


def _auc_table(report: ReplayReport) -> Table:
    policies = policies_of(report)
    rows: list[tuple[Cell, ...]] = [
        (row.month, *(auc_interval(row.auc.get(policy)) for policy in policies)) for row in report.months
    ]
    return Table(
        "AUC with its 95 % interval.", ("month", *(f"AUC {policy}" for policy in policies)), tuple(rows)
    )


def _lead_table(report: ReplayReport) -> Table:
    others = [policy for policy in policies_of(report) if policy != LOOP]
    rows: list[tuple[Cell, ...]] = [
        (
            row.month,
            *(
                lead_words(row.auc.get(LOOP), row.auc.get(other), row.loop_over.get(other))
                for other in others
            ),
        )
        for row in report.months
    ]
    said = "How much higher the loop's AUC was, with the 95 % interval of the difference on the same answers."
    return Table(said, ("month", *(f"loop over {other}" for other in others)), tuple(rows))


def _served_table(report: ReplayReport) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row.month,
            row.n,
            row.labelled,
            share(row.late_rate),
            decimals(row.calibration.get(FROZEN), 3),
            decimals(row.calibration.get(LOOP), 3),
            decimals(row.score_psi, 3),
            versions_words(row.versions) if row.versions else NO_DATA,
        )
        for row in report.months
    )
    head = (
        "month",
        "answers",
        "labelled",
        "positive",
        "calibration frozen",
        "calibration loop",
        "score PSI",
        "served by",
    )
    caption = (
        "What was asked, and how it was answered. Calibration is the mean score over the share of positives: 1 is right."
        f" Months are those of {report.timezone}."
    )
    return Table(caption, head, rows)


def _scores(report: ReplayReport) -> Section:
    return Section("The scores", (Picture(scores_chart(report)), Picture(reliability_chart(report))))


def _costs(report: ReplayReport) -> Section:
    rows = tuple(_cost_row(report, policy) for policy in policies_of(report))
    head = ("policy", "trainings", "fits", "AUC (95 %)", "loop over it (95 %)", "calibration", "log loss")
    said = "The first model is counted with each policy that served it. The loop's lead is measured on the same answers."
    return Section("What each policy cost", (Picture(cost_chart(report)), Table(said, head, rows)))


def _cost_row(report: ReplayReport, policy: str) -> tuple[Cell, ...]:
    cost = cost_of(report, policy)
    area = cost.auc if cost else None
    lead = lead_words(overall(report, LOOP), area, loop_over(report, policy)) if policy != LOOP else ""
    return (
        policy,
        f"{cost.trainings:,}" if cost else NO_DATA,
        span(cost.fit_seconds * SECOND) if cost else NO_DATA,
        auc_interval(area),
        lead,
        decimals(cost.calibration if cost else None, 3),
        decimals(cost.log_loss if cost else None, 4),
    )


def _again(report: ReplayReport) -> Section:
    told = (
        "The same data, project, seed and environment give the same training sets, models and predictions, to"
        " the byte. Replay into a new folder and compare the digests:\n\n"
        "- `treadle replay --project PROJECT --data DATA --home NEW_HOME --json NEW.json`\n"
        "- `treadle up --home HOME` serves the champion of the home this replay left behind"
    )
    digests: Mapping[str, str] = report.digests
    table = Table(
        "SHA-256 over everything of a kind that the replay made.",
        ("what", "digest"),
        tuple((name.replace("_", " "), f"`{digest}`") for name, digest in sorted(digests.items())),
    )
    clock = f"The clock of this replay was simulated and stood at {moment(report.generated_at)} when the page was made."
    return Section("Run it again", (Prose(told), table, Prose(clock)))
