"""The notebook's experiments in chaotic networks, by its own graph in TensorFlow 2.15 (tf.compat.v1).

    tfenv/bin/python chaotic_notebook.py --out Tests/Golden/chaotic

Small batches, other seeds and large weights: rounding grows from step to step, so that two correct programs
differ by far more than a constant bound allows, in float32 and in float64. One case stores its draws; one makes
a draw that the notebook does not make.
"""
import argparse

import numpy as np

from oracle_common import Writer
from tf_common import tf, tf_top
from tf_notebook import nb_experiments

# seed, scale, with the GRUs and all draws, with one draw more
CASES = [(7, 3.0, False, False), (5, 8.0, True, False), (42, 3.0, False, True)]


class OneMore(object):
    """np.random.rand with a draw of three numbers before the fifth call, the first state's."""

    def __init__(self):
        self.calls, self.rand = 0, np.random.rand

    def __call__(self, *shape):
        self.calls += 1
        if self.calls == 5:
            self.rand(3)
        return self.rand(*shape)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    tf.disable_v2_behavior()
    source = {"framework": "tensorflow", "version": tf_top.__version__, "mode": "tf.compat.v1"}
    writer = Writer(out, "chaotic", "tf2v1", source)
    for seed, scale, everything, has_more in CASES:
        rand = np.random.rand
        if has_more:
            np.random.rand = OneMore()
        nb_experiments(writer, dict(
            name="chaotic_seed%d_scale%g" % (seed, scale), seed=seed, sizes=[32, 8, 5, 8], steps=[2, 30] if everything else [2, 10, 20, 30], scale=scale,
            grad_scale=scale, keep_bias=20.0, keep_sweep=[20], with_gru=everything, store_states=True, store_draws=everything,
            store_input=everything))
        np.random.rand = rand
        if has_more:
            writer.cases[-1]["draws"].insert(3, {"tag": "another", "shape": [3]})
    writer.finish()
