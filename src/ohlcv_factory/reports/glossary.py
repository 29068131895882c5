"""Every number and baseline of a page in one sentence, with what it does not say."""

from __future__ import annotations

NUMBERS = (
    (
        "Sharpe ratio, net",
        "Mean over spread of the net profit per session, flat sessions counting as zero, scaled to a year. "
        "The interval resamples blocks of sessions.",
        "Over a few weeks even a large value is easily luck; its interval says how easily.",
    ),
    (
        "Deflated Sharpe ratio",
        "The probability that the true Sharpe ratio lies above what the best of all trials on this data would show if none "
        "had any skill. A trial is one configuration; the ledger counts it also where its run is gone.",
        "Trials that nobody entered, elsewhere or in one's head, are not in it.",
    ),
    (
        "Return per year",
        "Net profit per session times sessions per year, in units of one trade's notional, without compounding.",
        "Not the growth of an account. It adds up, so it can lie under −100 %.",
    ),
    (
        "Drawdown",
        "Deepest fall of that running sum below its earlier peak, bar by bar.",
        "Not a bound for the future.",
    ),
    (
        "Before costs, costs",
        "Sum of the profits of all trades before costs, and of their costs. Their difference is what the curves end at.",
        "Profit before costs cannot be had: trading less is the only way to pay less.",
    ),
    (
        "Break-even cost",
        "The cost per side, in basis points of the traded value, at which the same trades would have earned nothing.",
        "Not what your broker asks: compare. Below 0 the trades lost before costs.",
    ),
    (
        "Trades, turnover, exposure",
        "Number of trades; sides of notional traded per session and symbol; share of bars in a position.",
        "Many trades are not much evidence when they overlap in time or share a session.",
    ),
    (
        "Macro-F1",
        "F1 of short, neutral and long, averaged with equal weight.",
        "A value above 0.35 is no skill at direction: see below.",
    ),
    (
        "Balanced accuracy",
        "Share found of each class, averaged. Knowing nothing gives 0.333 where three classes occur.",
        "It counts a neutral bar well spotted as much as a direction, although only direction earns.",
    ),
    (
        "MCC",
        "Correlation of decision and truth over three classes; 0 is chance, 1 perfect. "
        "Undefined when all decisions are alike.",
        "Nothing about money.",
    ),
    (
        "Direction hit rate",
        "Where both truth and decision name a side: how often it is the same. Its interval counts overlapping labels "
        "once, by their uniqueness.",
        "Above one half is not yet skill: compare it with the independent rate.",
    ),
    (
        "Independent rate",
        "The hit rate of the same decisions and truths if they knew nothing of each other. "
        "The edge is the hit rate above this.",
        "Not a constant: who always says short hits as often as the market falls.",
    ),
    (
        "Log-loss, Brier score",
        "How far the probabilities lie from what happened. Equal probabilities give 1.099 and 0.667; "
        "compare with the class prior. Lower is better.",
        "A good loss may come from knowing the class shares alone.",
    ),
    (
        "ECE",
        "Mean distance between stated confidence and the share that came true. 0: probabilities mean what they say.",
        "A model that always states the class shares is well calibrated and useless.",
    ),
    (
        "Importance",
        "How much a model used each column, as shares of the total, in the model's own measure.",
        "Not that a column predicts anything: a model without an edge has importances too.",
    ),
)
"""(number, what it says, what it does not say)."""

BASELINES = (
    ("class prior", "Decides the most frequent class of the training rows, with the training shares as probabilities."),
    ("last label", "Repeats the newest label whose end was already known."),
    (
        "random as …",
        "That model's own decisions moved to another place in time, 32 times: the same turnover and costs, no timing. "
        "The mean is shown; its interval is the spread of the 32.",
    ),
    ("buy and hold", "Long from the first bar to the last, without barriers."),
    ("always flat", "Never trades."),
)
"""(baseline, what it does)."""
