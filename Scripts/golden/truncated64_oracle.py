"""Golden data of TensorFlow's float64 truncated normal, which tf_oracle.py does not record.

    tfenv/bin/python truncated64_oracle.py SETDIR      # TensorFlow 2.15.1; adds the part "tf2t64"
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf_top  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402
from tensorflow.python.ops import gen_random_ops as raw  # noqa: E402

from oracle_common import Writer, array_sha  # noqa: E402

SEEDS = [(15009, 70), (1, 0), (-5, 7), (2**40 + 3, 2**35 + 9)]
COUNTS = [1, 2, 3, 5, 16, 1000, 20000]


def main():
    w = Writer(sys.argv[1], "goldens", "tf2t64", {"framework": "tensorflow", "version": tf_top.__version__})
    for seed, seed2 in SEEDS:
        arrays, sha = {}, {}
        for n in COUNTS:
            with tf.Graph().as_default():
                op = raw.truncated_normal([n], tf.float64, seed=seed, seed2=seed2)
                with tf.Session() as s:
                    first, second = s.run(op), s.run(op)
            tag = "n%d.t64" % n
            sha[tag] = array_sha(first)
            if n <= 1000:
                arrays[tag], arrays[tag + ".run2"] = first, second
            else:
                arrays[tag + ".head"], arrays[tag + ".tail"] = first[:256], first[-256:]
        w.add("truncated64_s%d_%d" % (seed, seed2), arrays, "random", seed=seed, seed2=seed2,
              convention="tf.random", sha256_of_arrays=sha)
    w.finish()


if __name__ == "__main__":
    main()
