from __future__ import annotations

from ohlcv_factory.audit.outcome import Finding, by_violations, judged, skipped
from ohlcv_factory.audit.violation import largest_of_each, overall


def test_of_each_test_and_column_the_largest_violation_is_told():
    small, large, missing = (overall("t", "f", "S", "", size) for size in (0.1, 2.0, None))
    other = overall("t", "g", "S", "", 0.5)
    assert largest_of_each([small, other, large]) == [large, other]
    assert largest_of_each([large, missing, small]) == [missing]


def test_a_check_without_violations_passes_and_says_what_it_looked_at():
    outcome = by_violations([], "3 columns")
    assert (outcome.verdict, outcome.size, outcome.measured) == ("pass", "3 columns", 0.0)


def test_violations_are_counted_and_the_first_places_named():
    outcome = by_violations([overall("t", name, "S", "") for name in "abcdd"], "5 columns")
    assert outcome.verdict == "fail"
    assert outcome.size == "4 violations (a, b, c and 1 more); 5 columns"
    assert outcome.measured == 4.0


def test_a_finding_is_plain_json():
    violation = overall("t", "f", "S", "words", 2.0)
    plain = Finding("name", judged(False, "z +5", 5.0, [violation]), "mend it").plain()
    assert plain["verdict"] == "fail"
    assert (plain["size"], plain["measured"], plain["what_to_do"]) == ("z +5", 5.0, "mend it")
    assert plain["violations"][0]["complaint"] == "words"
    assert Finding("name", skipped("no bars"), "").plain()["size"] == "no bars"
