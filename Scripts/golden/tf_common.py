"""TensorFlow 1.13.1 or 2.15.1 with Eigen's kernels on one thread, and what the parts of tf_oracle.py share."""
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"     # Eigen kernels only
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")

import tensorflow as tf_top  # noqa: E402

from oracle_common import err  # noqa: E402

TF2 = tf_top.__version__.startswith("2")
if TF2:
    import tensorflow.compat.v1 as tf
    from tensorflow.python.ops import gen_random_ops as raw
else:
    tf = tf_top
    from tensorflow.python.ops import gen_random_ops as raw
    tf.logging.set_verbosity(tf.logging.ERROR)
PART = "tf2" if TF2 else "tf1"


def session(graph=None):
    return tf.Session(graph=graph, config=tf.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=1, device_count={"GPU": 0}))


def case_name(spec, size):
    tag = spec.get("tag", spec["cell"])
    return "%s_T%d_B%d_I%d_H%d" % ((tag,) + tuple(size))


OUTPUTS = ("y", "hT", "cT")


def f32_errors(a32, a64):
    """largest |float32 - float64| over outputs and over each loss's gradients."""
    e = {}
    for k in a32:
        last = k.split(".")[-1]
        key = k[:2] if k[:3] in ("gs.", "gw.", "gf.") else ("out" if last in OUTPUTS and ".w." not in k else None)
        if key:
            e[key] = max(e.get(key, 0.0), err(a32[k], a64[k]))
    return e
