"""What ``alphacrit new`` writes: a scenario that validates, runs, and explains itself."""

from __future__ import annotations

TEMPLATE = """\
schema = 1
name   = {name}
title  = "Does a collective form, and what would it cost to get there?"
cites  = []                 # where the numbers come from, e.g. ["hardt2023, figure 6"]
seed   = 1
epochs = 300                # at most; a run stops before when nobody changes any more

[population]
size        = 10_000
cost        = 0.3           # of being a member, in utility; or a distribution, for example
                            # {{ dist = "normal", mean = 0.3, sd = 0.1, low = 0.0 }}
free_riding = 0.2           # share of the success that a person has without joining, 0 to 1

[collectives.union]
strategy = "feature_label"                      # plant a signal with a label
signal   = {{ uniqueness = 0.01, gap = 1.0 }}     # how common the signal is without the
                                                # collective, and how unlikely the label
start    = 0.02                                 # share who are members at the beginning

[platform]
learner       = "bound"     # success is the closed-form lower bound
suboptimality = 0.0         # of the platform's classifier

[revision]
protocol   = "best_response"    # or "logit" (with noise > 0), "imitation"
activation = "simultaneous"     # or "sequential"
rate       = 1.0                # share of the people who reconsider in an epoch

# A principal who pays the cheapest recruits until the collective sustains itself:
# [principal]
# policy     = "subsidy"
# budget     = 40.0         # utility, in total
# collective = "union"
"""


def template(name: str) -> str:
    """The commented template with the scenario's name in it."""
    from sim.toml_text import text

    return TEMPLATE.format(name=text(name))
