"""Runs a program so many times, with one more argument each time, in a pool of actors of Ray.

actor_pool.py TRIALS ACTORS FOLDER PROGRAM [ARGS...]
"""

import subprocess
import sys

import ray
from ray.util import ActorPool

trials, actors, folder, *program = sys.argv[1:]


@ray.remote(num_cpus=1)
class Runner:
    def ready(self):
        pass

    def run(self, trial):
        subprocess.run([*program, f"{folder}/{trial}.json"], check=True)


ray.init(num_cpus=int(actors), include_dashboard=False, logging_level="ERROR")
runners = [Runner.remote() for _ in range(int(actors))]
# Actors start one after another, and the rate counts from the first result: the start of the others would be in it.
ray.get([runner.ready.remote() for runner in runners])
for _ in ActorPool(runners).map_unordered(lambda runner, trial: runner.run.remote(trial), range(int(trials))):
    pass
ray.shutdown()
