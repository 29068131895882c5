"""Python imports this before anything else, where its folder is on the path: a child that parses is armed by it."""

import os

if "ARMED_NOTES" in os.environ:
    from armed import arm_child

    arm_child()
