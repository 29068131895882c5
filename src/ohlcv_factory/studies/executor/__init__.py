"""Where the jobs of a study run: processes of this machine, or the machines of a Ray cluster.

A job is JSON: what to do, with which settings, on which data. Nothing else goes to a worker, and JSON comes back.
"""
