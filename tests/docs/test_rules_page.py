"""The page on time names, for every rule, tests that exist; the cases behind them are numbered without a gap."""

import ast
import re

from tests.docs.pages import ROOT

SUITE = ROOT / "tests" / "features" / "test_point_in_time_rules.py"


def suite() -> dict[str, str]:
    """The docstring of every test of the suite."""
    functions = (node for node in ast.walk(ast.parse(SUITE.read_text())) if isinstance(node, ast.FunctionDef))
    return {node.name: ast.get_docstring(node) or "" for node in functions if node.name.startswith("test_")}


def test_every_rule_names_tests_that_exist_and_that_name_the_rule():
    tests = suite()
    page = (ROOT / "docs" / "explanation" / "time.md").read_text()
    rows = re.findall(r"^\| (R\d+) \|.*\|(.*)\|$", page, re.MULTILINE)
    assert [rule for rule, _ in rows] == [f"R{number}" for number in range(1, 19)]
    for rule, cell in rows:
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, f"{rule} names no test"
        for name in named:
            assert re.search(rf"\b{rule}\b", tests[name]), f"{name} does not say that it holds {rule}"


def test_every_case_has_a_test():
    numbered = (re.match(r"\d+(?: and \d+)?", text) for text in suite().values())
    found = {int(number) for match in numbered if match for number in match[0].split(" and ")}
    assert found == set(range(1, 33))
