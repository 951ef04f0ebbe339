"""What a replay says in a terminal or a pipe: a line a month, a few lines a turn, and how it ended.

Plain text of at most 160 columns that needs no colour; with `unicode=False` it is ASCII alone. Every function
is pure: the caller prints.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence

from treadle.loop.replay_figures import LOOP, cost_of, policies_of
from treadle.loop.replay_words import (
    auc_interval,
    auc_words,
    count_words,
    decimals,
    headline,
    months_words,
    time_words,
    verdict_counts,
    versions_words,
)
from treadle.pictures.numbers import share, span
from treadle.pictures.status import STATUSES
from treadle.pictures.text import block_bars, plain, text_table
from treadle.records.estimates import Auc
from treadle.records.instants import SECOND, iso
from treadle.records.replays import Decided, MonthRow, ReplayReport, Training

WIDTH = 160
"""No line is longer, as long as no single word is."""
_INDENT = 12
_COLUMNS = (
    ("month", 7, "<"),
    ("answers", 9, ">"),
    ("labelled", 9, ">"),
    ("positive", 8, ">"),
    ("AUC frozen", 10, ">"),
    ("→", 1, ">"),
    ("loop (95 %)", 25, "<"),
    ("last3", 7, ">"),
    ("calibration", 11, ">"),
    ("PSI", 7, ">"),
    ("served by", 14, "<"),
)
_ASCII = {"→": "->", "±": "+/-", "…": "..", "×": "x", "’": "'"}


def month_header(*, unicode: bool = True) -> str:
    """Return the column names that `month_line` fills."""
    return _row([name for name, _, _ in _COLUMNS], unicode)


def month_line(row: MonthRow, *, events: Sequence[str] = (), unicode: bool = True) -> str:
    """Return one month in aligned columns; what is not known reads "no data".

    Args:
        row: the month.
        events: short words about what happened in it, put at the end of the line.
        unicode: whether the terminal shows more than ASCII.
    """
    cells = [
        row.month,
        f"{row.n:,}",
        f"{row.labelled:,}",
        share(row.late_rate),
        _auc(row.auc.get("frozen")),
        "→",
        auc_interval(row.auc.get(LOOP)),
        _auc(row.auc.get("last3")),
        decimals(row.calibration.get(LOOP), 3),
        decimals(row.score_psi, 3),
        versions_words(row.versions) if row.versions else "no data",
    ]
    return _row([*cells, ", ".join(events)], unicode)


def turn_lines(training: Training, decided: Decided | None, *, unicode: bool = True) -> list[str]:
    """Return what fired and why, what was trained, the verdict, and what each gate said.

    Args:
        training: the run.
        decided: what the gates made of it; None when nothing was to be decided.
        unicode: whether the terminal shows more than ASCII.
    """
    day = iso(training.at)[:10]
    trained = (
        f"trained v{training.model_version} on {training.rows:,} rows in {span(training.seconds * SECOND)}"
    )
    lines = _wrapped(f"{day}  ", f"{training.reason or 'no reason given'} → {trained}", unicode)
    if decided is not None:
        status = STATUSES[decided.verdict.value]
        said = f"{status.glyph if unicode else ''} {status.word}: version {decided.model_version}".strip()
        said = said if decided.reasons else f"{said}, though no gate gave a reason"
        lines += _wrapped(" " * _INDENT, said, unicode)
        for reason in decided.reasons:
            lines += _wrapped(" " * (_INDENT + 2), f"- {reason}", unicode, hang=2)
    return lines


def closing_lines(
    report: ReplayReport,
    *,
    home: str | None = None,
    page: str | None = None,
    unicode: bool = True,
) -> list[str]:
    """Return where the time went, what each policy gave, who serves, and what to do next.

    Args:
        report: what the replay found.
        home: the folder it left behind, for the commands to go on with.
        page: where the HTML report lies.
        unicode: whether the terminal shows more than ASCII.
    """
    lines = ["", *_wrapped("", headline(report), unicode), "", *_policy_table(report, unicode), ""]
    lines += _wrapped("", time_words(report), unicode)
    parts = sorted(report.time_spent.items(), key=lambda item: -item[1])
    if parts:
        rows = [(name, seconds, span(seconds * SECOND)) for name, seconds in parts]
        lines += [f"  {line}" for line in block_bars(rows, width=78, unicode=unicode).split("\n")]
    answered = sum(row.n for row in report.months)
    lines += [
        "",
        f"{months_words(report)}: {count_words(answered, 'answer')}; gates: {verdict_counts(report)}.",
    ]
    if report.champion:
        lines.append(f"Version {report.champion} is champion and answers {report.endpoint}.")
    if page:
        lines.append(f"report  {page}")
    if home:
        folder = shlex.quote(home)
        lines += [
            f"next    treadle up --home {folder}        serve the champion",
            f"        treadle models --home {folder}    its versions and their verdicts",
        ]
    return [_shown(line, unicode) for line in lines]


def _policy_table(report: ReplayReport, unicode: bool) -> list[str]:
    rows = []
    for policy in policies_of(report):
        cost = cost_of(report, policy)
        if cost is None:
            rows.append([policy, *["no data"] * 5])
            continue
        rows.append(
            [
                policy,
                f"{cost.trainings:,}",
                span(cost.fit_seconds * SECOND),
                auc_words(cost.auc),
                decimals(cost.calibration, 3),
                decimals(cost.log_loss, 4),
            ]
        )
    head = ("policy", "trainings", "time in fits", "AUC over all months", "calibration", "log loss")
    return text_table(head, rows, unicode=unicode).split("\n")


def _row(cells: Sequence[str], unicode: bool) -> str:
    fitted = [f"{cell:{side}{room}}" for cell, (_, room, side) in zip(cells, _COLUMNS, strict=False)]
    line = _shown("  ".join([*fitted, *cells[len(_COLUMNS) :]]).rstrip(), unicode)
    return line if len(line) <= WIDTH else line[: WIDTH - 2] + ".."


def _auc(area: Auc | None) -> str:
    return decimals(area.value if area else None, 4)


def _wrapped(lead: str, text: str, unicode: bool, hang: int = 0) -> list[str]:
    """Return the text behind a lead, broken at spaces; what goes on starts below the first word."""
    indent = " " * (len(lead) + hang)
    # What is written with other signs may be longer: the text is broken as it will be shown.
    text = _shown(text, unicode)
    lines = textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [lead.rstrip()]


def _shown(text: str, unicode: bool) -> str:
    """Return the text without control characters, for names come from data and may hold terminal commands."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if unicode:
        return text
    for sign, letters in _ASCII.items():
        text = text.replace(sign, letters)
    return plain(text)
