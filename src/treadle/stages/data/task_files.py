"""Files of labelling tasks: written for people and their tools, read back with every fault and its line.

CSV is for spreadsheets: UTF-8 with a byte order mark, CRLF, everything quoted that needs it. A text that a spreadsheet would
take for a formula (it begins with = + - @, a tab or a carriage return) is written with an apostrophe before it. JSON lines
hold values as they are.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.records.errors import InvalidInput

Cell: TypeAlias = bool | int | float | str | None

ID, ANSWER, ANNOTATOR, ENDPOINT = "prediction_id", "answer", "annotator", "endpoint"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
YES = frozenset({"true", "yes", "1", "1.0"})
NO = frozenset({"false", "no", "0", "0.0"})
SHOWN_FAULTS = 100
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it stands in a file."""

    line: int
    prediction_id: str
    answer: bool
    annotator: str


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """What a file of tasks says."""

    answers: tuple[Answered, ...]
    """One for each prediction and annotator, in the order of the file."""
    endpoint: str | None
    """Which endpoint's predictions they are about; None where the file does not say."""
    open: int
    """Tasks without an answer."""


def write_csv(rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return tasks as CSV; see the module for how texts are made safe. Pure."""
    text = io.StringIO(newline="")
    text.write("\ufeff")
    columns = list(rows[0]) if rows else [ID, ANSWER]
    writer = csv.writer(text)
    writer.writerow([_safe(column) for column in columns])
    writer.writerows([_safe(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def write_json_lines(rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return tasks as JSON lines. Pure."""
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)


def read_answers(data: bytes, *, json_lines: bool, where: str, annotator: str = "") -> AnswerFile:
    """Return the answers in a file. Pure.

    Rows need `prediction_id` and `answer`: true, false, yes, no, 1 or 0, whatever the case, or nothing for a task that is
    still open. `annotator` says who answered, else the one given does. Other columns are passed over.

    Args:
        data: the file's bytes, UTF-8.
        json_lines: JSON lines, or else CSV with a header.
        where: the file's name, for errors.
        annotator: who answered, where the file does not say.

    Raises:
        InvalidInput: something is wrong; every fault is listed with its line.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"{where} is larger than {MOST_BYTES >> 20} MiB", fix="import it in parts")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInput(
            f"{where}, line {line}: this is not UTF-8", fix="save the file as 'CSV UTF-8'"
        ) from error
    faults: list[str] = []
    found = list(_json_rows(text, faults) if json_lines else _csv_rows(text, faults))
    answers: dict[tuple[str, str], Answered] = {}
    endpoints: dict[str, int] = {}
    open_tasks = 0
    for line, row in found:
        endpoint = _text(row.get(ENDPOINT))
        if endpoint:
            endpoints.setdefault(endpoint, line)
        one = _answer(line, row, annotator, faults)
        if one is None:
            open_tasks += not _text(row.get(ANSWER))
            continue
        before = answers.setdefault((one.prediction_id, one.annotator), one)
        if before.answer != one.answer:
            by = f" of {one.annotator}" if one.annotator else ""
            faults.append(
                f"line {line}: another answer{by} to {one.prediction_id} than in line {before.line}; keep one"
            )
    if len(endpoints) > 1:
        said = ", ".join(f"{name!r} (line {line})" for name, line in endpoints.items())
        faults.append(f"the rows are about several endpoints: {said}; import them one by one")
    if faults:
        refuse(faults, where)
    return AnswerFile(tuple(answers.values()), next(iter(endpoints), None), open_tasks)


def refuse(faults: list[str], where: str) -> None:
    """Refuse a file of answers.

    Raises:
        InvalidInput: always; of very many faults the first hundred are listed.
    """
    listed = faults[:SHOWN_FAULTS]
    if len(faults) > SHOWN_FAULTS:
        listed.append(f"and {len(faults) - SHOWN_FAULTS:,} more")
    raise InvalidInput(
        "the answers cannot be taken in; nothing was",
        where=where,
        faults=listed,
        fix="mend these lines and import the file again",
    )


def _safe(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return repr(value)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _answer(line: int, row: Mapping[str, object], annotator: str, faults: list[str]) -> Answered | None:
    said = _text(row.get(ANSWER)).lower()
    if not said:
        return None
    prediction_id = _text(row.get(ID))
    wrong = []
    if not prediction_id:
        wrong.append(f"line {line}: an answer without a {ID}")
    if said not in YES | NO:
        wrong.append(
            f"line {line}: the answer {_text(row.get(ANSWER))[:40]!r} is none of true, false, yes, no, 1, 0"
        )
    faults += wrong
    who = _text(row.get(ANNOTATOR)) or annotator
    return None if wrong else Answered(line, prediction_id, said in YES, who)


def _csv_rows(text: str, faults: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                faults += [
                    f"line {begins}: there is no column {c!r}" for c in (ID, ANSWER) if c not in header
                ]
                faults += [f"line {begins}: column {c!r} is there twice" for c in _twice(header)]
                if faults:
                    return
            elif len(cells) != len(header):
                faults.append(f"line {begins}: {len(cells)} cells, but {len(header)} columns")
            else:
                yield begins, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        faults.append(f"line {line}: this is no CSV: {error}")
    if header is None and not faults:
        faults.append(f"the file has no header with {ID} and {ANSWER}")


def _json_rows(text: str, faults: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        try:
            row = json.loads(part)
        except (ValueError, RecursionError) as error:
            faults.append(f"line {line}: this is no JSON: {str(error)[:80]}")
            continue
        if not isinstance(row, dict):
            faults.append(f"line {line}: a task is a JSON object")
        elif ANSWER not in row:
            faults.append(f"line {line}: there is no {ANSWER!r}; write null for an open task")
        else:
            yield line, row


def _twice(names: Sequence[str]) -> list[str]:
    needed = (ID, ANSWER, ANNOTATOR, ENDPOINT)
    return [name for name in needed if list(names).count(name) > 1]
