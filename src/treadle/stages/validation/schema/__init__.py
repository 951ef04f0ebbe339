"""Holding data against a schema: facts are gathered from a profile or from rows, and judged by one set of rules.

facts          what is known of the data, rule by rule
from_profile   facts from a profile: nothing is read again, cost O(columns)
from_rows      facts from the rows themselves: exact counts, example rows, and what no profile knows
judge          facts and a schema become anomalies
compare        two profiles become anomalies: drift, skew, a change of unit
validate       the front door
infer          a schema from a profile, with slack
"""
